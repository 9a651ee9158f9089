using System.Diagnostics.Metrics;
using System.Net;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Resilience;

// Published with NativeAOT and executed by a test: every policy, with value and reference results, with and without
// suspension. Each check prints a line; the exit code counts the failures.
int failures = 0;

ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "aot" }
    .AddFallback(new FallbackOptions<int> { Value = -1 })
    .AddTimeout(TimeSpan.FromSeconds(10))
    .AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.FromMilliseconds(1)))
    .AddCircuitBreaker(o => (o.FailureRatio, o.ConsecutiveFailures) = (null, 100))
    .AddConcurrencyLimit(4, 4)
    .AddTimeout(TimeSpan.FromSeconds(5))
    .AddPolicy(new Tally())
    .Build();

Check("int, at once", await pipeline.ExecuteAsync(_ => new ValueTask<int>(42)) == 42);
Check("string, suspended", await pipeline.ExecuteAsync(async _ => { await Task.Yield(); return "x"; }) == "x");
Check("struct with state", await pipeline.ExecuteAsync(static (s, _) => new ValueTask<(long, int)>((s, 1)), 7L) == (7, 1));
await pipeline.ExecuteAsync(async _ => await Task.Yield());
int attempts = 0;
Check("retry", await pipeline.ExecuteAsync(_ => ++attempts < 3 ? throw new IOException() : new ValueTask<int>(attempts)) == 3);
Check("fallback", await pipeline.ExecuteAsync<int>(_ => throw new IOException()) == -1);
Check("outcome", (await pipeline.TryExecuteAsync<string>(_ => throw new NotSupportedException())).Verdict == Verdict.Ignored);
Check("context", await pipeline.ExecuteAsync(new CallOptions("op"), (c, _) => new ValueTask<bool>(c.RemainingTime is not null), 0));

ResiliencePipeline<string> typed = new ResiliencePipelineBuilder<string>()
    .AddFallback(o => o.LastGood = LastGood<string>.Shared(TimeSpan.FromMinutes(1))).AddPipeline(new ResiliencePipelineBuilder<string>().AddTimeout(TimeSpan.FromMilliseconds(250)).Build()).Build();
Check("typed", await typed.ExecuteAsync(_ => new ValueTask<string>("good")) == "good");
Check("timed out, last good value", await typed.ExecuteAsync(async ct => { await Task.Delay(Timeout.Infinite, ct); return ""; }) == "good");

int begun = 0;
ResiliencePipeline hedged = new ResiliencePipelineBuilder().AddHedging(o => o.Delay = TimeSpan.Zero).Build();
Check("hedge", await hedged.ExecuteAsync(async ct =>
{
    int number = Interlocked.Increment(ref begun);
    if (number == 1) await Task.Delay(Timeout.Infinite, ct);
    return number;
}) == 2);

CircuitBreaker breaker = new(new CircuitBreakerOptions { FailureRatio = null, ConsecutiveFailures = 1 });
ResiliencePipeline guarded = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build();
await guarded.TryExecuteAsync<int>(_ => throw new IOException());
Check("circuit opens", breaker.State == CircuitState.Open);
try
{
    await guarded.ExecuteAsync(_ => ValueTask.CompletedTask);
    Check("rejection thrown", false);
}
catch (CircuitOpenException rejected)
{
    Check("rejection thrown", rejected.RetryAfter > TimeSpan.Zero);
}

long counted = 0;
using MeterListener listener = new() { InstrumentPublished = (i, l) => { if (i.Meter.Name == ResilienceTelemetry.MeterName) l.EnableMeasurementEvents(i); } };
listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref counted, value));
listener.SetMeasurementEventCallback<double>((_, _, _, _) => Interlocked.Increment(ref counted));
listener.Start();
await pipeline.ExecuteAsync(_ => new ValueTask<int>(1));
Check("metrics", counted > 0);
Check("description", pipeline.Describe().ToString().Contains("CircuitBreaker", StringComparison.Ordinal));
await InContainerAsync();
await IdempotencyAsync();
Console.WriteLine(failures == 0 ? "all checks passed" : $"{failures} checks failed");
return failures;

// Pipelines and a client from configuration, bound without reflection, checked at start, reloaded, and seen by a health check.
async Task InContainerAsync()
{
    IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection(
    [
        new("P:orders:Retry:MaxRetries", "1"), new("P:orders:Retry:Jitter", "Equal"), new("P:orders:AttemptTimeout", "00:00:01"),
        new("P:orders:AcceptedWarnings:0", "RES008"), new("H:Retry:BaseDelay", "00:00:00"), new("H:Retry:MaxDelay", "00:00:00"),
        new("H:CircuitBreaker:ConsecutiveFailures", "5"), new("H:ConcurrencyLimit:MaxConcurrent", "7"),
    ]).Build();
    ServiceCollection services = new();
    services.AddLogging().AddMetrics().AddSingleton<IConfiguration>(configuration);
    services.AddResilience().AddPipelines("P").AddPipeline<string>("typed", b => b.AddRateLimiter(new ConcurrencyLimiter(new() { PermitLimit = 1 })));
    services.AddHttpClient("shop").AddIdempotencyKey().AddStandardResilience("H").ConfigurePrimaryHttpMessageHandler(() => new Network());
    services.AddHealthChecks().AddResilience();
    await using ServiceProvider container = services.BuildServiceProvider();
    container.GetRequiredService<IStartupValidator>().Validate();
    ResiliencePipeline orders = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
    Check("bound", orders.Describe().Policies[0].MaxAttempts == 2);
    configuration["P:orders:Retry:MaxRetries"] = "4";
    configuration.Reload();
    Check("reloaded", orders.Describe().Policies[0].MaxAttempts == 5);
    Check("typed, keyed", await container.GetRequiredKeyedService<ResiliencePipeline<string>>("typed").ExecuteAsync(_ => new ValueTask<string>("x")) == "x");
    using HttpResponseMessage response = await container.GetRequiredService<IHttpClientFactory>().CreateClient("shop").PostAsync("http://shop.test/", new StringContent("x"));
    Check("client", response.StatusCode == HttpStatusCode.OK && HttpAttempts.Of(response).Count == 2);
    container.GetRequiredKeyedService<HttpResilience>("shop").For(new("http://shop.test/")).CircuitBreaker!.Isolate();
    Check("health", (await container.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Status == HealthStatus.Degraded);
}

async Task IdempotencyAsync()
{
    string file = Path.Combine(Path.GetTempPath(), $"resilience-aot-{Guid.NewGuid():N}.db");
    await using SqliteIdempotencyStore sqlite = new($"Data Source={file}");
    foreach (IIdempotencyStore store in new IIdempotencyStore[] { new InMemoryIdempotencyStore(), sqlite })
    {
        using IdempotencyGate gate = new(store);
        JsonIdempotencySerializer json = new(ReceiptJson.Default);
        int executions = 0;
        ResiliencePipeline once = new ResiliencePipelineBuilder().AddIdempotency(gate, new IdempotencyPolicyOptions { Serializer = json }).Build();
        CallOptions options = new("charge") { Properties = new CallProperties().With(IdempotencyKey.Property, new IdempotencyKey("aot", "order-1")) };
        for (int i = 0; i < 2; i++)
        {
            Receipt receipt = await once.ExecuteAsync(options, (_, _) => new ValueTask<Receipt>(new Receipt($"R{++executions}", 12.5m)), 0);
            Check($"{store.Traits.Name}: one receipt", receipt is { Number: "R1", Amount: 12.5m });
        }

        Check($"{store.Traits.Name}: added", await gate.GetOrAddAsync(new IdempotencyKey("aot", "text"), (_, _) => new ValueTask<string>("created")) == "created");
        Check($"{store.Traits.Name}: message", await gate.ProcessOnceAsync(new IdempotencyKey("aot", "m"), (_, _) => default) == MessageResult.Processed);
    }

    File.Delete(file);
}

void Check(string what, bool holds)
{
    Console.WriteLine($"{(holds ? "ok    " : "FAILED")} {what}");
    if (!holds) failures++;
}

internal sealed record Receipt(string Number, decimal Amount);

[System.Text.Json.Serialization.JsonSerializable(typeof(Receipt))]
internal sealed partial class ReceiptJson : System.Text.Json.Serialization.JsonSerializerContext;

internal sealed class Tally : SimplePolicy
{
    public int Calls;

    protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
    {
        Interlocked.Increment(ref Calls);
        return next.ExecuteAsync(context);
    }
}

internal sealed class Network : HttpMessageHandler
{
    private int _count;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        Task.FromResult(new HttpResponseMessage(_count++ == 0 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK) { RequestMessage = request });
}
