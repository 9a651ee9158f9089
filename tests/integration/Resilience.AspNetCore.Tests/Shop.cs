using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Resilience.AspNetCore.Tests;

/// <summary>A service on a real Kestrel, whose user is the one that a header names, and clients for it.</summary>
internal sealed class Shop : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client;

    private Shop(WebApplication app)
    {
        _app = app;
        _client = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false })
        {
            BaseAddress = new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First()),
        };
    }

    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    internal Uri Address => _client.BaseAddress!;

    internal IServiceProvider Services => _app.Services;

    internal static async Task<Shop> OpenAsync(
        Action<WebApplication> map, Action<IdempotencyOptions>? configure = null, Action<IdempotencyEndpointOptions>? endpoints = null,
            Action<IServiceCollection>? services = null,
        Action<IIdempotencyBuilder>? gate = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        IIdempotencyBuilder idempotency = builder.Services.AddIdempotency(configure).AddEndpoints(endpoints);
        gate?.Invoke(idempotency);
        builder.Services.AddAuthentication(HeaderUser.Scheme).AddScheme<AuthenticationSchemeOptions, HeaderUser>(HeaderUser.Scheme, null);
        services?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        map(app);
        await app.StartAsync();
        return new(app);
    }

    internal async Task<Reply> SendAsync(
        string path, string? key = "\"k1\"", string body = "{}", string? user = "ann", string method = "POST", Action<HttpRequestMessage>? change = null, CancellationToken stop = default)
    {
        using HttpRequestMessage request = new(new(method), path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        if (key is not null) request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        if (user is not null) request.Headers.TryAddWithoutValidation("X-User", user);
        change?.Invoke(request);
        using HttpResponseMessage response = await _client.SendAsync(request, stop).WaitAsync(Patience, stop);
        return new((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(stop), response.Headers, response.Content.Headers);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    internal sealed record Reply(int Status, byte[] Body, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders)
    {
        internal string Text => Encoding.UTF8.GetString(Body);

        internal bool IsReplayed => Headers.TryGetValues("Idempotent-Replayed", out IEnumerable<string>? values) && values.Single() == "true";
    }
}

/// <summary>The user is the one that a header names.</summary>
internal sealed class HeaderUser(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    internal new const string Scheme = "header";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Request.Headers["X-User"].FirstOrDefault() is not { } user) return Task.FromResult(AuthenticateResult.NoResult());
        ClaimsIdentity identity = new([new("sub", user), new("tid", Request.Headers["X-Tenant"].FirstOrDefault() ?? "t1")], Scheme);
        return Task.FromResult(AuthenticateResult.Success(new(new(identity), Scheme)));
    }
}

/// <summary>Counts what was done, and can be told to hold an execution.</summary>
internal sealed class Ledger
{
    private readonly ConcurrentQueue<string> _entries = new();

    internal int Count => _entries.Count;

    internal TaskCompletionSource? Gate;

    internal TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal async Task<string> ChargeAsync(string what = "charge")
    {
        _entries.Enqueue(what);
        Begun.TrySetResult();
        if (Gate is { } gate) await gate.Task;
        return $"{what} {Count}";
    }
}
