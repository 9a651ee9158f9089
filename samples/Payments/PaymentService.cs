using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Idempotency;

namespace Resilience.PaymentsSample;

internal sealed record Charge(string Order, int Cents);

internal sealed record ChargeReceipt(long Number, string Order, int Cents);

/// <summary>The payment service: one endpoint. With keys it charges once per order, whatever happens to it and to its replies.</summary>
internal static class PaymentService
{
    internal static async Task<int> RunAsync(Settings settings)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.WebHost.UseUrls($"http://127.0.0.1:{settings.Port}");
        IIdempotencyBuilder idempotency = builder.Services
            .AddIdempotency(o =>
            {
                o.Lease = TimeSpan.FromSeconds(2);                  // after a crash the order is free again after two seconds
                o.WhenInFlight = WhenInFlight.Wait;
            })
            .AddEndpoints(o =>
            {
                o.IsRequired = settings.UsesKeys;
                o.ScopeFor = _ => Path.GetFileName(settings.Folder); // who calls: the shop of this telling; a real service asks authentication
            });
        _ = settings.Store switch
        {
            "sqlite" => idempotency.UseSqlite($"Data Source={Path.Combine(settings.Folder, "keys.db")}"),
            "postgresql" => idempotency.UsePostgreSql(settings.Connection),
            "redis" => idempotency.UseRedis(settings.Connection),
            string other => throw new ArgumentException($"There is no store '{other}'."),
        };
        WebApplication app = builder.Build();
        if (app.Services.GetRequiredService<IIdempotencyStore>() is PostgresIdempotencyStore postgres) await postgres.EnsureCreatedAsync();

        Bank bank = new(settings.Folder);
        int charges = 0;
        app.MapPost("/charges", (Charge charge, HttpContext context) =>
        {
            // The same at every attempt of this order: if we die right after this call, the next process asks the bank for the same charge.
            string key = context.GetIdempotencyClaim()?.DeriveKey("charge") ?? Guid.NewGuid().ToString("N");
            long number = bank.Charge(key, charge.Order, charge.Cents);
            if (Interlocked.Increment(ref charges) == settings.KillAfter) Process.GetCurrentProcess().Kill();   // charged, and no reply was sent
            return Results.Created($"/charges/{number}", new ChargeReceipt(number, charge.Order, charge.Cents));
        }).RequireIdempotencyKey();
        await app.RunAsync();
        return 0;
    }
}
