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

    private House(WebApplication app, WebApplication server, RealTime time)
    {
        _app = app;
        _server = server;
        Time = time;
        server.MapGet("/pay", () => Results.StatusCode(_isDown ? 503 : 200));
    }

    internal RealTime Time { get; }

    internal Uri Page => new(AddressOf(_app), "/resilience");

    /// <summary>The id of the card of the client's only authority.</summary>
    internal string Payments => $"h:payments/{AddressOf(_server).GetLeftPart(UriPartial.Authority)}";

    internal ResiliencePipeline Pipeline(string name) => _app.Services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline(name);

    internal IdempotencyGate Gate => _app.Services.GetRequiredService<IdempotencyGate>();

    internal static async Task<House> OpenAsync()
    {
        RealTime time = new();
        WebApplication server = NewBuilder().Build();
        WebApplicationBuilder builder = NewBuilder();
        builder.Services.AddSingleton<TimeProvider>(time);
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
            o.Retry = null;
            o.CircuitBreaker = new() { ConsecutiveFailures = 3, BreakDuration = TimeSpan.FromHours(1), BreakJitter = 0, MaxBreakDuration = TimeSpan.FromHours(1) };
        });
        WebApplication app = builder.Build();
        app.MapResilienceDashboard(configure: o => (o.EnableActions, o.EnableResolving, o.Interval, o.Title) = (true, true, TimeSpan.FromMilliseconds(250), "Shop"));
        House house = new(app, server, time);
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
