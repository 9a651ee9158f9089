using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Tests.Http;

/// <summary>What the server really received of one request.</summary>
/// <param name="Number">0 for the first.</param>
/// <param name="Method">The method.</param>
/// <param name="Path">Path and query.</param>
/// <param name="Protocol">As <c>HTTP/1.1</c>.</param>
/// <param name="Headers">By name; several values are joined by commas.</param>
/// <param name="Body">The bytes of the body that arrived.</param>
/// <param name="IsWhole">False when the client went away before the body had arrived.</param>
internal sealed record Received(int Number, string Method, string Path, string Protocol, Dictionary<string, string> Headers, byte[] Body, bool IsWhole)
{
    internal string Text => Encoding.UTF8.GetString(Body);

    internal string? Header(string name) => Headers.GetValueOrDefault(name);
}

/// <summary>A real server on the loopback that answers as the test says, remembers all that it received, and does a deed only once for each
/// idempotency key.</summary>
internal sealed class FaultyServer : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly WebApplication _app;
    private readonly Lock _gate = new();
    private readonly List<(Func<bool> Condition, TaskCompletionSource Met)> _waiting = [];
    private readonly ConcurrentQueue<Received> _requests = [];
    private readonly HashSet<string> _keys = [];
    private int _received;
    private int _deeds;
    private int _open;
    private int _connections;
    private int _connectionsEver;

    private FaultyServer(WebApplication app) => _app = app;

    /// <summary>All requests that arrived, in the order of their numbers if they came one after the other.</summary>
    internal Received[] Requests => [.. _requests];

    internal int Count => _requests.Count;

    /// <summary>What was done: once for each key, and each time for requests without one.</summary>
    internal int Deeds => Volatile.Read(ref _deeds);

    /// <summary>How many connections were ever opened.</summary>
    internal int ConnectionsEver => Volatile.Read(ref _connectionsEver);

    internal Uri Address { get; private set; } = null!;

    internal static Task<FaultyServer> StartAsync(HttpProtocols protocols, params HttpStatusCode[] statuses) => StartAsync(protocols, (n, context) =>
    {
        context.Response.StatusCode = (int)statuses[Math.Min(n, statuses.Length - 1)];
        return Task.CompletedTask;
    });

    /// <param name="protocols">One of them; HTTP/2 without TLS is spoken by prior knowledge.</param>
    /// <param name="answer">Gets the number of the request and answers it; its body has been read already.</param>
    /// <param name="certificate">Null: no TLS.</param>
    /// <param name="add">Services of the test's own.</param>
    /// <param name="map">Endpoints of the test's own, which the requests reach for which <paramref name="answer"/> is null.</param>
    internal static async Task<FaultyServer> StartAsync(
        HttpProtocols protocols, Func<int, HttpContext, Task>? answer, X509Certificate2? certificate = null,
        Action<IServiceCollection>? add = null, Action<WebApplication>? map = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        FaultyServer? server = null;
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = protocols;
            listen.Use(next => connection => server!.CountAsync(next, connection));
            if (certificate is not null) listen.UseHttps(certificate);
        }));
        builder.Services.AddRouting();
        add?.Invoke(builder.Services);
        WebApplication app = builder.Build();
        server = new(app);
        app.Use((context, next) => server.ReceiveAsync(context, answer, next));
        map?.Invoke(app);
        await app.StartAsync().WaitAsync(Limit);
        server.Address = new(app.Urls.Single());
        return server;
    }

    /// <summary>Ends when so many requests have been received.</summary>
    internal Task WaitForAsync(int count) => WhenAsync(() => _requests.Count >= count);

    /// <summary>Ends when no request is being answered: the client let go of all of them.</summary>
    internal Task WhenIdleAsync() => WhenAsync(() => _open == 0);

    /// <summary>Ends when no connection is open.</summary>
    internal Task WhenAllClosedAsync() => WhenAsync(() => _connections == 0);

    /// <summary>Does the deed unless it was done before under the same key.</summary>
    internal void Do(HttpContext context)
    {
        string? key = context.Request.Headers["Idempotency-Key"];
        lock (_gate)
        {
            if (key is null || _keys.Add(key)) _deeds++;
        }
    }

    /// <summary>The worst that a server can do to a client: the deed is done, and the client will not hear of it.</summary>
    internal Task LostReply(HttpContext context)
    {
        Do(context);
        return Abort(context);
    }

    /// <summary>The connection is reset (HTTP/2: the stream) before any header.</summary>
    internal static Task Abort(HttpContext context)
    {
        context.Abort();
        return Task.CompletedTask;
    }

    /// <summary>Promises a hundred bytes, sends three, and breaks off once the headers have arrived.</summary>
    internal static async Task HalfBody(HttpContext context, Task headersArrived)
    {
        context.Response.ContentLength = 100;
        await context.Response.WriteAsync("abc");
        await context.Response.Body.FlushAsync();
        await headersArrived.WaitAsync(Limit);
        context.Abort();
    }

    /// <summary>Says nothing until the client goes away.</summary>
    internal static async Task Stall(HttpContext context)
    {
        TaskCompletionSource gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration registration = context.RequestAborted.Register(gone.SetResult);
        await gone.Task.WaitAsync(Limit);
    }

    /// <summary>Answers when the test says so.</summary>
    internal static async Task SlowHeaders(HttpContext context, Task release, string body = "late")
    {
        await release.WaitAsync(Limit);
        await context.Response.WriteAsync(body);
    }

    /// <summary>Sends each part as soon as the test writes it; ends when the channel does or the client has gone.</summary>
    internal static async Task Drip(HttpContext context, ChannelReader<string> parts)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.StartAsync();
        try
        {
            await foreach (string part in parts.ReadAllAsync(context.RequestAborted))
            {
                await context.Response.WriteAsync(part, context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        catch (OperationCanceledException)
        {
            // The client went away.
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _app.StopAsync(new CancellationToken(canceled: true)).WaitAsync(Limit); // aborts what is under way
        }
        catch (OperationCanceledException)
        {
            // So it was meant.
        }

        await _app.DisposeAsync();
    }

    private async Task ReceiveAsync(HttpContext context, Func<int, HttpContext, Task>? answer, RequestDelegate next)
    {
        Interlocked.Increment(ref _open);
        try
        {
            HttpRequest request = context.Request;
            MemoryStream body = new();
            bool isWhole = true;
            if (answer is not null) // otherwise it is the endpoint that reads it
            {
                try
                {
                    await request.Body.CopyToAsync(body, context.RequestAborted);
                }
                catch (Exception error) when (error is IOException or OperationCanceledException)
                {
                    isWhole = false;
                }
            }

            int number = Interlocked.Increment(ref _received) - 1;
            _requests.Enqueue(new(
                number, request.Method, request.Path + request.QueryString, request.Protocol,
                request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray(), isWhole));
            Changed();
            await (answer is null ? next(context) : answer(number, context));
        }
        finally
        {
            Interlocked.Decrement(ref _open);
            Changed();
        }
    }

    private async Task CountAsync(ConnectionDelegate next, ConnectionContext connection)
    {
        Interlocked.Increment(ref _connections);
        Interlocked.Increment(ref _connectionsEver);
        try
        {
            await next(connection);
        }
        finally
        {
            Interlocked.Decrement(ref _connections);
            Changed();
        }
    }

    private Task WhenAsync(Func<bool> condition)
    {
        TaskCompletionSource met = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate) _waiting.Add((condition, met));
        Changed();
        return met.Task.WaitAsync(Limit);
    }

    private void Changed()
    {
        lock (_gate)
        {
            foreach ((Func<bool> condition, TaskCompletionSource met) in _waiting.ToArray())
            {
                if (condition()) met.TrySetResult();
            }

            _waiting.RemoveAll(w => w.Met.Task.IsCompleted);
        }
    }
}
