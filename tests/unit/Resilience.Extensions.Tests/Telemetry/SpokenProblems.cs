using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Resilience.Tests.Telemetry;

/// <summary>What is wrong with keys, options, configuration and orders, all of it at once and each thing alone.</summary>
internal static class SpokenProblems
{
    internal static IEnumerable<string> OfKeys() =>
        from key in (string?[])[null, "", new('k', 300), "or\nder", "a\ud800b"]
        select IdempotencyKey.FindProblem(key);

    internal static IEnumerable<string> OfOptions()
    {
        TimeSpan never = TimeSpan.MaxValue, no = TimeSpan.FromTicks(-1);
        yield return Thrown(b => b.AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Factor, o.Jitter, o.MaxRetryAfter, o.RetryAfterJitter) = (-5, never, double.NaN,
            (BackoffJitter)9, no, 2)));
        yield return Thrown(b => b.AddRetry(o => o.MaxDelay = TimeSpan.FromMilliseconds(1)).AddTimeout(TimeSpan.Zero));
        yield return Thrown(b => b.AddCircuitBreaker(o => (o.FailureRatio, o.MinimumCalls, o.SamplingDuration, o.Probes, o.BreakDuration, o.SlowCallRatio) = (0,
            0, never, 0, no, 1.5)));
        yield return Thrown(b => b.AddCircuitBreaker(o => (o.FailureRatio, o.MinimumCalls, o.SamplingCalls, o.ConsecutiveFailuresWithin) = (null, 20, 10,
            TimeSpan.FromSeconds(1))));
        yield return Thrown(b => b.AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = 0, MaxQueued = -1, MaxWait = TimeSpan.Zero }));
        yield return Thrown(b => b.AddHedging(o => (o.MaxAttempts, o.Delay) = (0, no)));
        yield return Thrown(b => b.AddFallback(new FallbackOptions<string>()));
        yield return Thrown(
            b => b.AddRetry(o => o.Budget = new RetryBudget(new RetryBudgetOptions { Ratio = -1, MinRetriesPerSecond = -1, Window = TimeSpan.Zero })));
        yield return Thrown(b =>
        {
            b.EnvironmentName = "Staging";
            b.AddChaos(o => (o.Rates, o.Latency, o.Schedule) = (new() { Fault = 0.7, Latency = 0.6, LostReply = -1 }, no, new()));
        });
        yield return Thrown(b =>
        {
            b.EnvironmentName = "Production";
            b.AddChaos(o => o.Rates = new() { Fault = 0.1 });
        });
        yield return Thrown(b => b.AddChaos(o => o.Rates = new() { Fault = 0.1 }));
    }

    private static string Thrown(Action<ResiliencePipelineBuilder> add)
    {
        ResiliencePipelineBuilder builder = new() { Name = "orders" };
        try
        {
            add(builder);
            builder.Build();
            return "nothing was thrown";
        }
        catch (Exception thrown)
        {
            return thrown.Message;
        }
    }

    internal static IEnumerable<string> OfConfiguration()
    {
        yield return AtStart("{}", s => s.AddResilience().AddPipelines("Resilience:Pipelines"));
        yield return AtStart("""{"Resilience":{"Pipelines":{}}}""", s => s.AddResilience().AddPipelines("Resilience:Pipelines"));
        yield return AtStart("""{"Resilience":{"Pipelines":{"orders":{}}}}""", s => s.AddResilience().AddPipelines("Resilience:Pipelines"));
        yield return AtStart("""{"Resilience":{"Pipelines":{"orders":"fast"}}}""", s => s.AddResilience().AddPipelines("Resilience:Pipelines"));
        yield return AtStart("{}", s => s.AddResilience().AddPipeline("orders", "Resilience:Pipelines:orders"));
        yield return AtStart(
            """
            {"P":{"orders":{"TotalTimeout":"30","Retry":{"MaxRetrys":3,"MaxRetries":"many","BaseDelay":{"x":1},"Jitter":"Some","Factor":"1,5","Budget":"big","UseJitter":true,"Color":"red"},
            "CircuitBreaker":{"FailureRatio":0,"BreakDuration":"00:00:00","Enabled":"ja"},"ConcurrencyLimit":{"QueueLimit":1,"MaxConcurrent":99999999999},"AcceptedWarnings":["RES008","X1"],
            "Hedging":{"MaxHedgedAttempts":2},"Chaos":{"Rates":{"Fault":3}}}}}
            """,
            s => s.AddResilience().AddPipelines("P"));
        yield return AtStart("""{"P":{"orders":{"TotalTimeout":"00:00:02","AttemptTimeout":"00:00:05","Retry":{}}}}""", s => s.AddResilience().AddPipelines("P"));
        yield return AtStart(
            """{"H":{"AttemptTimeout":"00:01:00","Retry":{"ShouldRetryAfterHeader":true,"Delay":"00:00:01"},"TotalRequestTimeout":{"Timeout":"00:00:30"},"CircuitBreaker":{"MinimumThroughput":5}}}""",
            s => s.AddHttpClient("shop").AddStandardResilience("H"));
        yield return AtStart("{}", s => s.AddHttpClient("shop").AddStandardResilience("H"));
        yield return AtStart("{}", s => s.AddHttpClient("shop").AddStandardResilience().AddStandardResilience());
        yield return AtStart("{}", s => s.AddHttpClient("shop")
            .AddStandardResilience(o => (o.Retry!.MaxRetries, o.AttemptTimeout, o.TotalTimeout) = (-2, TimeSpan.Zero, TimeSpan.FromDays(3))));
        yield return AtStart("{}", s => s.AddHttpClient("shop").AddHttpChaos(o => o.IsOn = true));
        yield return AtStart("{}", s => s.AddResilience().AddPipeline("orders", _ => { }).AddPipeline("orders", _ => { }));
        yield return AtStart("{}", s => s.AddIdempotency(o => (o.Retention, o.Lease, o.MaxAttempts) = (TimeSpan.Zero, TimeSpan.FromDays(9), 0)));
        yield return Asked(p => p.GetPipeline("ordres"));
        yield return Asked(p => p.GetPipeline<string>("orders"));
        yield return Asked(p => p.GetPipeline("orders"), isEmpty: true);
    }

    private static string AtStart(string json, Action<IServiceCollection> add)
    {
        ServiceCollection services = new();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build());
        try
        {
            add(services);
            using ServiceProvider provider = services.BuildServiceProvider();
            provider.GetRequiredService<IStartupValidator>().Validate();
            return "nothing was thrown";
        }
        catch (Exception thrown)
        {
            return thrown.Message;
        }
    }

    private static string Asked(Func<ResiliencePipelineProvider, object> ask, bool isEmpty = false)
    {
        ServiceCollection services = new();
        if (isEmpty) services.AddResilience();
        else services.AddResilience().AddPipeline("orders", b => b.AddRetry()).AddPipeline<int>("prices", b => b.AddRetry());
        using ServiceProvider provider = services.BuildServiceProvider();
        try
        {
            return $"{ask(provider.GetRequiredService<ResiliencePipelineProvider>())}";
        }
        catch (Exception thrown)
        {
            return thrown.Message;
        }
    }

    internal static IEnumerable<string> OfOrders()
    {
        CircuitBreaker shared = new(new() { Name = "shared" });
        ConcurrencyLimit limit = new(new() { Name = "places" });
        Action<ResiliencePipelineBuilder>[] orders =
        [
            b => b.AddTimeout(TimeSpan.FromMilliseconds(100)).AddRetry(),
            b => b.AddCircuitBreaker().AddRetry(),
            b => b.AddRetry().AddFallback(static (_, _) => ValueTask.CompletedTask),
            b => b.AddCircuitBreaker().AddFallback(static (_, _) => ValueTask.CompletedTask),
            b => b.AddRetry().AddRetry(o => o.MaxRetries = 1),
            b => b.AddConcurrencyLimit(1).AddRetry(),
            b => b.AddTimeout(TimeSpan.FromSeconds(2)).AddTimeout(TimeSpan.FromSeconds(2)),
            b => b.AddTimeout(TimeSpan.FromSeconds(10)).AddRetry().AddTimeout(TimeSpan.FromSeconds(5)),
            b => b.AddCircuitBreaker(o => o.SamplingDuration = TimeSpan.FromSeconds(1)).AddTimeout(TimeSpan.FromSeconds(5)),
            b => b.AddRetry().AddIdempotency(new IdempotencyGate()),
            b => b.AddHedging().AddRetry(),
            b => b.AddCircuitBreaker().AddHedging(),
            b => b.AddConcurrencyLimit(10).AddHedging(),
            b => b.AddTimeout(TimeSpan.FromMilliseconds(500)).AddHedging(o => o.Delay = TimeSpan.FromSeconds(1)),
            b => b.AddHedging(o => o.Delay = TimeSpan.FromSeconds(3)).AddTimeout(TimeSpan.FromSeconds(2)),
            b =>
            {
                b.EnvironmentName = "Staging";
                b.AddChaos(o => o.Rates = new() { Fault = 0.1 }).AddRetry();
            },
            b => b.AddCircuitBreaker(shared).AddRetry().AddCircuitBreaker(shared),
            b => b.AddConcurrencyLimit(limit).AddConcurrencyLimit(limit),
            b => b.AddTimeout(TimeSpan.FromSeconds(1)).AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxQueued = 5, MaxWait = TimeSpan.FromSeconds(1) }),
            b => b.AddRetry(o => o.MaxRetries = RetryOptions.Unlimited),
            b => b.AddRateLimiter(new System.Threading.RateLimiting.ConcurrencyLimiter(new() { PermitLimit = 1 })).AddRetry(),
            b => b.AddRateLimiter(new System.Threading.RateLimiting.ConcurrencyLimiter(new() { PermitLimit = 1 }))
                .AddRetry(o => o.MaxRetries = RetryOptions.Unlimited),
        ];
        foreach (Action<ResiliencePipelineBuilder> order in orders)
        {
            yield return Thrown(b =>
            {
                b.TreatWarningsAsErrors = true;
                order(b);
            });
        }

        yield return Thrown(b =>
        {
            (b.Name, b.TreatWarningsAsErrors) = ("", true);
            b.AddCircuitBreaker().AddRetry();
        });
    }
}
