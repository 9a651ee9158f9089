using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests.Sdks;

/// <summary>What an SDK talks to: Kestrel, which counts requests and answers as the test says.</summary>
internal sealed class Service : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<Request> _requests = [];

    private Service(WebApplication app) => _app = app;

    internal sealed record Request(string Method, string? Key, string Body);

    /// <summary>The status for a request, by its number; the first is 0. Default: 503 to all.</summary>
    internal Func<int, int> StatusOf { get; init; } = static _ => 503;

    /// <summary>The header in which a key is looked for.</summary>
    internal string KeyHeader { get; set; } = "Idempotency-Key";

    /// <summary>Headers of answers that are errors.</summary>
    internal Dictionary<string, string> Headers { get; } = [];

    /// <summary>The body of answers that are errors.</summary>
    internal string Bad { get; set; } = "";

    /// <summary>The body of answers that are none.</summary>
    internal string Good { get; init; } = "{}";

    internal Uri Address { get; private set; } = null!;

    internal Request[] Requests => [.. _requests];

    internal int Count => _requests.Count;

    internal static async Task<Service> OpenAsync(Func<int, int>? statusOf = null, string good = "{}", bool http2 = false)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrel(o => o.Listen(
            IPAddress.Loopback, 0, l => l.Protocols = http2 ? HttpProtocols.Http2 : HttpProtocols.Http1AndHttp2));
        builder.Logging.ClearProviders();
        WebApplication app = builder.Build();
        Service service = new(app) { StatusOf = statusOf ?? (static _ => 503), Good = good };
        app.Run(service.AnswerAsync);
        await app.StartAsync();
        service.Address = new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return service;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using StreamReader reader = new(context.Request.Body);
        string body = await reader.ReadToEndAsync();
        int number;
        lock (_requests)
        {
            number = _requests.Count;
            string? key = context.Request.Headers.TryGetValue(KeyHeader, out Microsoft.Extensions.Primitives.StringValues keys) ? keys.ToString() : null;
            _requests.Enqueue(new(context.Request.Method, key, body));
        }

        int status = StatusOf(number);
        context.Response.StatusCode = status;
        if (status >= 400)
        {
            foreach ((string name, string value) in Headers) context.Response.Headers[name] = value;
            if (Bad.Length > 0) await context.Response.WriteAsync(Bad);
            return;
        }

        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(Good);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
