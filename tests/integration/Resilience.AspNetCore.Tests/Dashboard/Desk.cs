using System.Net;
using System.Net.Http.Json;
using System.Security.Claims;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Resilience.AspNetCore.Tests;

/// <summary>An application with the live page on a real Kestrel, and a viewer.</summary>
internal sealed class Desk : IAsyncDisposable
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly WebApplication _app;

    private Desk(WebApplication app)
    {
        _app = app;
        Client = new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false })
        {
            BaseAddress = new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First()),
        };
    }

    internal HttpClient Client { get; }

    internal IServiceProvider Services => _app.Services;

    internal static async Task<Desk> OpenAsync(
        Action<IResilienceBuilder>? pipelines = null,
        Action<ResilienceDashboardOptions>? options = null,
        string environment = "Development",
        Action<IEndpointConventionBuilder>? endpoints = null,
        Action<IServiceCollection>? services = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { EnvironmentName = environment });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromMinutes(10)); // a stream that does not end is seen
        builder.Services.AddAuthentication("test").AddScheme<AuthenticationSchemeOptions, HeaderAuthentication>("test", null);
        builder.Services.AddAuthorizationBuilder().AddPolicy("lookers", p => p.RequireAuthenticatedUser()).AddPolicy("doers", p => p.RequireRole("doer"));
        builder.Services.AddSingleton<ILoggerFactory>(NullLoggerFactory.Instance); // the log listens to events; here it does not
        IResilienceBuilder resilience = builder.Services.AddResilience();
        pipelines?.Invoke(resilience);
        services?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        app.UseAuthentication();
        app.UseAuthorization();
        IEndpointConventionBuilder page = app.MapResilienceDashboard(configure: o =>
        {
            o.Interval = TimeSpan.FromMilliseconds(250);
            options?.Invoke(o);
        });
        endpoints?.Invoke(page);
        await app.StartAsync();
        return new(app);
    }

    internal ResiliencePipeline Pipeline(string name) => Services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline(name);

    internal async Task<JsonElement> SnapshotAsync() => await Client.GetFromJsonAsync<JsonElement>("/resilience/snapshot").WaitAsync(Patience);

    internal Task StopAsync() => _app.StopAsync();

    internal Task<Watch> WatchAsync() => Watch.OpenAsync(Client);

    internal async Task<HttpStatusCode> StatusAsync(string path, string? user = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        if (user is not null) request.Headers.Add("X-User", user);
        using HttpResponseMessage response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience);
        return response.StatusCode;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }

    /// <summary>The user that a header names; a user called "doer" has that role.</summary>
    private sealed class HeaderAuthentication(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
        : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
    {
        protected override Task<AuthenticateResult> HandleAuthenticateAsync()
        {
            if (Request.Headers["X-User"].FirstOrDefault() is not { } user) return Task.FromResult(AuthenticateResult.NoResult());
            ClaimsIdentity identity = new([new(ClaimTypes.Name, user), new(ClaimTypes.Role, user)], "test");
            return Task.FromResult(AuthenticateResult.Success(new(new(identity), "test")));
        }
    }
}

/// <summary>A viewer: reads the stream.</summary>
internal sealed class Watch : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _lines;

    private Watch(HttpResponseMessage response, Stream stream)
    {
        _response = response;
        _lines = new(stream);
    }

    internal HttpResponseMessage Response => _response;

    internal static async Task<Watch> OpenAsync(HttpClient client)
    {
        HttpResponseMessage response = await client.GetAsync("/resilience/events", HttpCompletionOption.ResponseHeadersRead).WaitAsync(Desk.Patience);
        response.EnsureSuccessStatusCode();
        return new(response, await response.Content.ReadAsStreamAsync());
    }

    /// <summary>The next message; null when the stream has ended.</summary>
    internal async Task<(string Event, JsonElement Data)?> NextAsync()
    {
        string name = "";
        while (await _lines.ReadLineAsync().WaitAsync(Desk.Patience) is { } line)
        {
            if (line.StartsWith("event: ", StringComparison.Ordinal)) name = line[7..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal)) return (name, JsonDocument.Parse(line[6..]).RootElement);
        }

        return null;
    }

    /// <summary>Reads on until a message fits.</summary>
    internal async Task<JsonElement> UntilAsync(Func<string, JsonElement, bool> fits)
    {
        using CancellationTokenSource end = new(Desk.Patience);
        while (await NextAsync() is { } message)
        {
            if (fits(message.Event, message.Data)) return message.Data;
            end.Token.ThrowIfCancellationRequested();
        }

        throw new EndOfStreamException("The stream ended before a message fitted.");
    }

    public void Dispose()
    {
        _lines.Dispose();
        _response.Dispose();
    }
}
