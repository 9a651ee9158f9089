using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests.Http.Wire;

/// <summary>A real Kestrel on loopback that does to each request what the test says, and remembers what really arrived.</summary>
internal sealed class WireServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Func<int, HttpContext, Task> _answer;
    private readonly Lock _gate = new();
    private readonly List<(Func<bool> Condition, TaskCompletionSource Met)> _waiting = [];
    private readonly List<Arrived> _arrived = [];
    private readonly bool _readsBodies;
    private int _open;
    private int _connections;
    private int _connectionsEver;

    private WireServer(WebApplication app, Func<int, HttpContext, Task> answer, bool readsBodies)
    {
        _app = app;
        _answer = answer;
        _readsBodies = readsBodies;
    }

    internal sealed record Arrived(string Method, string Path, string Protocol, IReadOnlyDictionary<string, string> Headers, byte[] Body);

    internal Uri Address { get; private set; } = null!;

    internal ConcurrentDictionary<string, int> Operations { get; } = [];

    /// <summary>How many connections were ever opened.</summary>
    internal int ConnectionsEver => Volatile.Read(ref _connectionsEver);

    internal Arrived[] Requests
    {
        get
        {
            lock (_gate) return [.. _arrived];
        }
    }

    internal int Count => Requests.Length;

    /// <param name="answer">Gets the number of the request, 0 for the first, and the context; the body has been read.</param>
    /// <param name="protocols">One protocol, because without TLS there is no way to agree on one.</param>
    /// <param name="isSecure">With an untrusted certificate.</param>
    /// <param name="readsBodies">False: leaves the reading to the answer.</param>
    internal static async Task<WireServer> StartAsync(
        Func<int, HttpContext, Task> answer, HttpProtocols protocols = HttpProtocols.Http1, bool isSecure = false, bool readsBodies = true)
    {
        WireServer? server = null;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l =>
        {
            l.Protocols = protocols;
            l.Use(next => connection => server!.ConnectAsync(next, connection));
            if (isSecure) l.UseHttps(Certificate());
        }));
        WebApplication app = builder.Build();
        server = new(app, answer, readsBodies);
        app.Run(server.ServeAsync);
        await app.StartAsync();
        server.Address = new(app.Urls.First());
        return server;
    }

    /// <summary>Ends when so many requests have arrived.</summary>
    internal Task WaitForAsync(int count) => WhenAsync(() => _arrived.Count >= count);

    /// <summary>Ends when no request is being answered: the clients have let go of all of them.</summary>
    internal Task WhenIdleAsync() => WhenAsync(() => _open == 0);

    /// <summary>Ends when no connection is open.</summary>
    internal Task WhenAllClosedAsync() => WhenAsync(() => _connections == 0);

    internal void Do(HttpContext context) => Operations.AddOrUpdate(context.Request.Headers["Idempotency-Key"].ToString(), 1, (_, n) => n + 1);

    internal static Task Status(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    internal static Task StallAsync(HttpContext context) =>
        Task.Delay(TimeSpan.FromMinutes(1), context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);

    /// <summary>Promises ten bytes, sends five, and cuts the line when told to.</summary>
    internal static async Task HalfAsync(HttpContext context, Task cut)
    {
        context.Response.ContentLength = 10;
        await context.Response.WriteAsync("half!");
        await context.Response.Body.FlushAsync();
        await cut;
        context.Abort();
    }

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource soon = new(TimeSpan.FromSeconds(2));
        await _app.StopAsync(soon.Token);
        await _app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context)
    {
        using MemoryStream body = new();
        try
        {
            if (_readsBodies) await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            return; // it never arrived whole
        }

        int number;
        lock (_gate)
        {
            number = _arrived.Count;
            _open++;
            _arrived.Add(new(
                context.Request.Method, context.Request.Path, context.Request.Protocol,
                context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase), body.ToArray()));
            Look();
        }

        try
        {
            await _answer(number, context);
        }
        catch (OperationCanceledException)
        {
            // The client has gone.
        }
        finally
        {
            Change(ref _open, -1);
        }
    }

    private async Task ConnectAsync(ConnectionDelegate next, ConnectionContext connection)
    {
        Interlocked.Increment(ref _connectionsEver);
        Change(ref _connections, 1);
        try
        {
            await next(connection);
        }
        finally
        {
            Change(ref _connections, -1);
        }
    }

    private Task WhenAsync(Func<bool> condition)
    {
        TaskCompletionSource met = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _waiting.Add((condition, met));
            Look();
        }

        return met.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private void Change(ref int count, int by)
    {
        lock (_gate)
        {
            count += by;
            Look();
        }
    }

    /// <summary>Tells those that wait, under the lock.</summary>
    private void Look()
    {
        foreach ((Func<bool> condition, TaskCompletionSource met) in _waiting)
        {
            if (condition()) met.TrySetResult();
        }

        _waiting.RemoveAll(w => w.Met.Task.IsCompleted);
    }

    private static X509Certificate2 Certificate()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=untrusted", key, HashAlgorithmName.SHA256);
        using X509Certificate2 own = request.CreateSelfSigned(new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero), new(2100, 1, 1, 0, 0, 0, TimeSpan.Zero));
        return X509CertificateLoader.LoadPkcs12(own.Export(X509ContentType.Pkcs12), null);
    }
}

/// <summary>A server that speaks no HTTP: answers each connection with the given bytes and hangs up.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly System.Net.Sockets.TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _serving;
    private int _connections;

    internal RawServer(string answer)
    {
        _listener.Start();
        _serving = ServeAsync(answer);
    }

    internal Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

    internal int Connections => Volatile.Read(ref _connections);

    /// <summary>A port on which no server listens.</summary>
    internal static async Task<Uri> ClosedAsync()
    {
        await using RawServer gone = new("");
        return gone.Address;
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
    }

    private async Task ServeAsync(string answer)
    {
        try
        {
            while (true)
            {
                using System.Net.Sockets.TcpClient client = await _listener.AcceptTcpClientAsync();
                Interlocked.Increment(ref _connections);
                System.Net.Sockets.NetworkStream stream = client.GetStream();
                byte[] asked = new byte[4096];
                _ = await stream.ReadAsync(asked);
                await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(answer));
            }
        }
        catch (Exception error) when (error is System.Net.Sockets.SocketException or ObjectDisposedException or InvalidOperationException or IOException)
        {
            // Stopped.
        }
    }
}
