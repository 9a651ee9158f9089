using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Idempotency;

namespace Resilience.ObservabilitySample;

internal sealed record Charge(string Order, int Cents);

internal sealed record Receipt(int Number, string Order, int Cents);

/// <summary>How bad a time the payment service has.</summary>
/// <param name="RepliesToLose">So many of the next charges are done, and their replies are cut off.</param>
/// <param name="SlowPrices">So many of the next prices take half a second.</param>
/// <param name="IsDown">Everything is answered with 503.</param>
internal sealed record Faults(int RepliesToLose, int SlowPrices, bool IsDown);

/// <summary>The payment service: charges once for each key, quotes prices, and fails when it is switched so.</summary>
internal static class PaymentsService
{
    internal static async Task<int> RunAsync(string port, string folder)
    {
        WebApplicationBuilder builder = Service.CreateBuilder("payments", port, folder);
        builder.Services.AddIdempotency(o => o.WhenInFlight = WhenInFlight.Wait).AddEndpoints(o => o.ScopeFor = _ => "shop");
        WebApplication app = builder.Build();
        BadTime bad = new();
        int charges = 0;

        app.MapPrometheusScrapingEndpoint();
        app.MapPost("/faults", (Faults faults) => bad.Begin(faults));
        app.UseWhen(c => c.Request.Path.StartsWithSegments("/charges") || c.Request.Path.StartsWithSegments("/prices"), branch => branch.Use(bad.SufferAsync));
        app.MapPost("/charges", (Charge charge) => new Receipt(Interlocked.Increment(ref charges), charge.Order, charge.Cents)).RequireIdempotencyKey();
        app.MapGet("/prices/{item}", async (string item, CancellationToken stop) =>
        {
            if (bad.IsNextPriceSlow()) await Task.Delay(TimeSpan.FromMilliseconds(500), stop);
            return 100 + item.Length;
        });
        await app.RunAsync();
        return 0;
    }

    private sealed class BadTime
    {
        private int _repliesToLose;
        private int _slowPrices;
        private volatile bool _isDown;

        internal void Begin(Faults faults)
        {
            Volatile.Write(ref _repliesToLose, faults.RepliesToLose);
            Volatile.Write(ref _slowPrices, faults.SlowPrices);
            _isDown = faults.IsDown;
        }

        internal bool IsNextPriceSlow() => Interlocked.Decrement(ref _slowPrices) >= 0;

        internal async Task SufferAsync(HttpContext context, RequestDelegate next)
        {
            if (_isDown)
            {
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                return;
            }

            // The reply is held back until the operation is done, so that it can be lost after it.
            Stream wire = context.Response.Body;
            using MemoryStream held = new();
            context.Response.Body = held;
            await next(context);
            context.Response.Body = wire;
            if (context.Request.Path.StartsWithSegments("/charges") && Interlocked.Decrement(ref _repliesToLose) >= 0)
            {
                Activity.Current?.AddEvent(new ActivityEvent("reply lost"));
                context.Abort();
                return;
            }

            held.Position = 0;
            await held.CopyToAsync(wire, context.RequestAborted);
        }
    }
}
