using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Resilience.HttpClientSample;

/// <summary>A payment service on loopback that honors idempotency keys, and fails when it is switched so.</summary>
internal sealed class PaymentsServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, Lazy<Receipt>> _receipts = [];
    private int _charges;
    private int _requests;
    private int _repliesToLose;
    private volatile bool _isDown;

    private PaymentsServer(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = null!;

    /// <summary>How often money changed hands.</summary>
    public int Charges => Volatile.Read(ref _charges);

    public int Requests => Volatile.Read(ref _requests);

    public bool IsDown
    {
        get => _isDown;
        set => _isDown = value;
    }

    /// <summary>The next replies are cut off after the operation was done.</summary>
    public void LoseReplies(int count) => Volatile.Write(ref _repliesToLose, count);

    public static async Task<PaymentsServer> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication app = builder.Build();
        PaymentsServer server = new(app);
        app.MapPost("/charges", server.ChargeAsync);
        await app.StartAsync();
        server.Address = new(app.Urls.First());
        return server;
    }

    private async Task ChargeAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        if (_isDown)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        Order order = (await context.Request.ReadFromJsonAsync<Order>())!;
        string key = context.Request.Headers["Idempotency-Key"].ToString();
        Lazy<Receipt> receipt = _receipts.GetOrAdd(
            key.Length > 0 ? key : Guid.NewGuid().ToString(), _ => new(() => new(Interlocked.Increment(ref _charges), order.Item)));
        Receipt given = receipt.Value; // charged once for each key, however often it is asked for
        if (Interlocked.Decrement(ref _repliesToLose) >= 0) context.Abort();
        else await context.Response.WriteAsJsonAsync(given);
    }

    public async ValueTask DisposeAsync()
    {
        using CancellationTokenSource soon = new(TimeSpan.FromSeconds(1));
        await _app.StopAsync(soon.Token);
        await _app.DisposeAsync();
    }
}
