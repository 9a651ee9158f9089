using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Resilience.Tests;

namespace Resilience.Browser.Tests;

/// <summary>An application with the live page, and a server that it calls and that can be down: both real.</summary>
internal sealed class House : IAsyncDisposable
{
    internal const string Evil = "<script>document.title='evil'</script><img src=https://elsewhere.example/x onerror=alert(1)>";
    internal const string Long = "a-pipeline-whose-name-is-longer-than-any-telephone-is-wide-and-has-no-place-where-it-could-be-broken-except-hyphens_or_not_even_those";

    private readonly WebApplication _app;
    private readonly WebApplication _server;
    private volatile bool _isDown;
    private int _paid;

    private House(WebApplication app, WebApplication server)
    {
        _app = app;
        _server = server;
        server.MapGet("/pay", () =>
        {
            int number = Interlocked.Increment(ref _paid);
            bool isSlow = number % 23 == 0, fails = _isDown || (number % 41 == 0 && Moved is not null);
            Moved?.Advance(TimeSpan.FromMilliseconds((isSlow ? 110 : 14) + (number * 7 % 19)));
            return Results.StatusCode(fails ? 503 : 200);
        });
    }

    internal RealTime Time { get; private init; } = new();

    /// <summary>The clock of a house whose minutes pass at once; null: <see cref="Time"/>.</summary>
    internal FakeTimeProvider? Moved { get; private init; }

    internal Uri Page => new(AddressOf(_app), "/resilience");

    /// <summary>The id of the card of the client's only authority.</summary>
    internal string Payments => $"h:payments/{AddressOf(_server).GetLeftPart(UriPartial.Authority)}";

    internal ResiliencePipeline Pipeline(string name) => _app.Services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline(name);

    internal IdempotencyGate Gate => _app.Services.GetRequiredService<IdempotencyGate>();

    /// <summary>Starts both.</summary>
    /// <param name="moved">A clock that the test moves: an interval of the page is then a second, calls take some of its time, and one in 41 fails.</param>
    internal static async Task<House> OpenAsync(FakeTimeProvider? moved = null)
    {
        RealTime time = new();
        WebApplication server = NewBuilder().Build();
        WebApplicationBuilder builder = NewBuilder();
        builder.Services.AddSingleton(moved ?? (TimeProvider)time);
        CircuitBreakerPartitions shards = new(new CircuitBreakerOptions { Name = "shards" });
        foreach (string shard in (string[])["eu-1", "us-1", Evil]) shards.Get(shard);
        shards.Get("us-1").Isolate();
        builder.Services.AddIdempotency();
        builder.Services.AddResilience()
            .AddPipeline("orders", p => p.AddTimeout(TimeSpan.FromSeconds(9)).AddRetry().AddCircuitBreaker().AddConcurrencyLimit(5))
            .AddPipeline("search", p => p.AddCircuitBreaker(shards, c => c.Operation))
            .AddPipeline("odd", p => p.AddCircuitBreaker().AddTimeout(TimeSpan.FromSeconds(1)).AddRetry())
            .AddPipeline(Evil, p => p.AddCircuitBreaker(new CircuitBreakerOptions { Name = Evil }))
            .AddPipeline("rehearsal", p => p.AddChaos(o => o.Rates = new() { Fault = 1 }))
            .AddPipeline(Long, p => p.AddRetry());
        builder.Services.AddHttpClient("payments").AddStandardResilience(o =>
        {
            TimeSpan longest = moved is null ? TimeSpan.FromHours(1) : TimeSpan.FromSeconds(45);
            o.Retry = moved is null ? null : new() { MaxRetries = 1, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero };
            o.CircuitBreaker = new() { ConsecutiveFailures = 3, BreakDuration = longest, BreakJitter = 0, MaxBreakDuration = longest };
        });
        WebApplication app = builder.Build();
        app.MapResilienceDashboard(configure: o => (o.EnableActions, o.EnableResolving, o.Interval, o.Title) = (true, true, moved is null ? TimeSpan.FromMilliseconds(250) : TimeSpan.FromSeconds(1), "Shop"));
        House house = new(app, server) { Time = time, Moved = moved };
        await server.StartAsync();
        await app.StartAsync();
        app.Services.GetRequiredService<IdempotencyGate>();
        return house;
    }

    internal void Break() => _isDown = true;

    internal void Heal() => _isDown = false;

    /// <summary>The application calls the server; what comes of it, or why nothing was sent.</summary>
    internal async Task<string> PayAsync()
    {
        using HttpClient client = _app.Services.GetRequiredService<IHttpClientFactory>().CreateClient("payments");
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(new Uri(AddressOf(_server), "/pay"));
            return answer.StatusCode == HttpStatusCode.OK ? "paid" : "failed";
        }
        catch (HttpResilienceException)
        {
            return "rejected";
        }
    }

    /// <summary>Four minutes and a half of traffic, by the moved clock: a good time, then the server goes down, the circuit opens, is probed in vain and
    /// opens again, and an operator isolates another. Each call has a trace.</summary>
    internal async Task LiveAsync()
    {
        const int Seconds = 270, BreaksAt = 205, IsolatedAt = 255;
        for (int second = 0; second < Seconds; second++)
        {
            DateTimeOffset end = Moved!.GetUtcNow() + TimeSpan.FromSeconds(1);
            if (second == BreaksAt) Break();
            if (second == IsolatedAt) Pipeline("orders").Find<CircuitBreaker>()!.Isolate();
            int payments = 4 + (int)(2.5 * Math.Sin(second / 17.0) + second % 3);
            for (int i = 0; i < payments; i++) await TracedAsync(PayAsync);
            for (int i = 0; i < 1 + second / 4 % 3; i++) await TracedAsync(OrderAsync);
            if (Moved.GetUtcNow() < end) Moved.SetUtcNow(end);
        }
    }

    /// <summary>Lets the moved clock go on with the machine's until something is done: by it the page waits between two readings.</summary>
    internal async Task<T> WhileTimePassesAsync<T>(Task<T> done)
    {
        TimeSpan step = TimeSpan.FromMilliseconds(100);
        while (await Task.WhenAny(done, Task.Delay(step)) != done) Moved!.Advance(step);
        return await done;
    }

    private async Task<string> OrderAsync()
    {
        Outcome<int> outcome = await Pipeline("orders").TryExecuteAsync(_ =>
        {
            Moved!.Advance(TimeSpan.FromMilliseconds(3 + (_paid % 5)));
            return ValueTask.FromResult(1);
        });
        return outcome.Verdict.ToString();
    }

    private static async Task TracedAsync(Func<Task<string>> call)
    {
        using Activity trace = new Activity("request").SetIdFormat(ActivityIdFormat.W3C).Start();
        await call();
    }

    /// <summary>Waits until so many calls of the client are in the history that the page keeps.</summary>
    internal async Task UntilMeasuredAsync(int calls)
    {
        using HttpClient client = new();
        using CancellationTokenSource patience = new(TimeSpan.FromMinutes(1));
        while (true)
        {
            using JsonDocument snapshot = JsonDocument.Parse(await client.GetStringAsync(new Uri(Page + "/snapshot"), patience.Token));
            int measured = snapshot.RootElement.GetProperty("history").EnumerateArray().Where(h => h.GetProperty("pipeline").GetString() == Payments)
                .SelectMany(h => h.GetProperty("points").EnumerateArray()).Sum(p => p.GetProperty("calls").GetInt32());
            if (measured >= calls) return;
            await Task.Delay(50, patience.Token); // the page's own interval, in another part of this process, must end first
        }
    }

    /// <summary>Where the pictures of the documents are.</summary>
    internal static string Images
    {
        get
        {
            DirectoryInfo? folder = new(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Resilience.sln"))) folder = folder.Parent;
            return Path.Combine(folder!.FullName, "docs", "images");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _server.DisposeAsync();
    }

    private static WebApplicationBuilder NewBuilder()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = "Development" });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        return builder;
    }

    private static Uri AddressOf(WebApplication app) =>
        new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
}
