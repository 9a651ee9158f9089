using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.AspNetCore.Tests;

/// <summary>A service on a real Kestrel that sheds load, with endpoints that run until the test says so.</summary>
internal sealed class SheddingServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly SemaphoreSlim _begun = new(0);

    private SheddingServer(WebApplication app) => _app = app;

    internal HttpClient Client { get; private set; } = null!;

    internal Uri Address { get; private set; } = null!;

    /// <summary>Ends all that is held.</summary>
    internal TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal IServiceProvider Services => _app.Services;

    internal LoadShedder Shedder => Services.GetRequiredService<LoadShedder>();

    internal static async Task<SheddingServer> StartAsync(
        Action<LoadSheddingOptions> configure, Action<WebApplication>? map = null, Action<WebApplication>? before = null,
        Action<IServiceCollection>? services = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddLoadShedding(o =>
        {
            (o.Shedder.Cpu, o.Shedder.Memory, o.Shedder.ThreadPoolDelay) = (null, null, null); // the machine of a test may be as busy as it likes
            configure(o);
        });
        services?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        SheddingServer server = new(app);
        before?.Invoke(app);
        app.UseLoadShedding();
        app.UseWebSockets();
        app.Map("/held", server.HoldAsync);
        app.MapGet("/quick", () => "ok");
        map?.Invoke(app);
        await app.StartAsync();
        server.Address = new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
        server.Client = new() { BaseAddress = server.Address };
        return server;
    }

    internal async Task HoldAsync(HttpContext context)
    {
        _begun.Release();
        await Gate.Task.WaitAsync(context.RequestAborted);
    }

    /// <summary>Sends requests that are held, and comes back when all have begun.</summary>
    internal async Task<Task<HttpResponseMessage>[]> HoldAsync(int count, string path = "/held")
    {
        Task<HttpResponseMessage>[] held = [.. Enumerable.Range(0, count).Select(_ => Client.GetAsync(path))];
        for (int i = 0; i < count; i++) (await _begun.WaitAsync(Shop.Patience)).Should().BeTrue();
        return held;
    }

    internal async Task<Answer> GetAsync(string path, Action<HttpRequestMessage>? change = null, HttpMethod? method = null)
    {
        using HttpRequestMessage request = new(method ?? HttpMethod.Get, path);
        change?.Invoke(request);
        using HttpResponseMessage response = await Client.SendAsync(request).WaitAsync(Shop.Patience);
        string text = await response.Content.ReadAsStringAsync();
        bool isProblem = response.Content.Headers.ContentType?.MediaType == "application/problem+json" && text.Length > 0;
        return new(
            (int)response.StatusCode, text, isProblem ? JsonDocument.Parse(text).RootElement : null, response.Headers.RetryAfter?.Delta?.TotalSeconds,
            response.Headers.TryGetValues("X-Should-Retry", out IEnumerable<string>? said) ? said.Single() : null, response.Headers.ConnectionClose == true);
    }

    internal async Task<WebSocket> OpenSocketAsync(string path)
    {
        ClientWebSocket socket = new();
        using CancellationTokenSource patience = new(Shop.Patience);
        await socket.ConnectAsync(new UriBuilder(Address) { Scheme = "ws", Path = path }.Uri, patience.Token);
        return socket;
    }

    /// <summary>Until it is so, or patience ends.</summary>
    internal static async Task UntilAsync(Func<bool> isSo)
    {
        using CancellationTokenSource patience = new(Shop.Patience);
        while (!isSo()) await Task.Delay(1, patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Gate.TrySetResult();
        Client.Dispose();
        await _app.DisposeAsync();
    }

    internal sealed record Answer(int Status, string Text, JsonElement? Problem, double? RetryAfter, string? ShouldRetry, bool Closes);
}
