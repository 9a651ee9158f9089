using System.Diagnostics;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Chaos;

namespace Resilience.ObservabilitySample;

/// <summary>The shop: sells through the payment service, with the standard pipeline around charges and hedging around prices.</summary>
internal static class ShopService
{
    internal static async Task<int> RunAsync(string port, string payments, string folder)
    {
        WebApplicationBuilder builder = Service.CreateBuilder("shop", port, folder);
        builder.Services.AddHttpClient("payments", http => http.BaseAddress = new(payments)).AddStandardResilience(o =>
        {
            o.AttemptTimeout = TimeSpan.FromSeconds(10);
            o.TotalTimeout = TimeSpan.FromSeconds(45);
            o.Retry!.BaseDelay = TimeSpan.FromMilliseconds(50);
            o.CircuitBreaker!.MinimumCalls = 10;
            o.CircuitBreaker.BreakDuration = TimeSpan.FromSeconds(1);       // the story is short
            o.CircuitBreaker.MaxBreakDuration = TimeSpan.FromSeconds(1);
            o.ConcurrencyLimit = new ConcurrencyLimitOptions { MaxConcurrent = 20 };
        });
        builder.Services.AddHttpClient("prices", http => http.BaseAddress = new(payments)).AddResilience(pipeline => pipeline
            .AddTimeout(TimeSpan.FromSeconds(10))
            .AddHedging(o => o.Delay = TimeSpan.FromMilliseconds(100)))
            .AddHttpChaos(o =>
            {
                o.Seed = 1;
                o.Rates = new ChaosRates { Fault = 0.5 };       // off, until the switch is turned
            });
        WebApplication app = builder.Build();

        app.MapPrometheusScrapingEndpoint();
        app.MapResilienceDashboard("/resilience");
        app.Use((context, next) =>
        {
            context.Response.Headers["Trace-Id"] = Activity.Current?.TraceId.ToHexString();
            return next(context);
        });
        app.MapPost("/rehearsal", ([FromKeyedServices("prices")] ChaosSwitch chaos) => chaos.TurnOn(TimeSpan.FromSeconds(30)));
        app.MapDelete("/rehearsal", ([FromKeyedServices("prices")] ChaosSwitch chaos) => chaos.TurnOff());
        app.MapPost("/orders/{order}", BuyAsync);
        app.MapGet("/prices/{item}", QuoteAsync);
        await app.RunAsync();
        return 0;
    }

    private static async Task<IResult> BuyAsync(string order, IHttpClientFactory clients, CancellationToken stop)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, "/charges") { Content = JsonContent.Create(new Charge(order, 1999)) };
        request.Headers.Add("Idempotency-Key", order);      // the same for every attempt and every click: charged once
        try
        {
            using HttpResponseMessage response = await clients.CreateClient("payments").SendAsync(request, stop);
            response.EnsureSuccessStatusCode();
            return Results.Ok(await response.Content.ReadFromJsonAsync<Receipt>(stop));
        }
        catch (HttpRequestException failed)
        {
            return Results.Problem(failed.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<IResult> QuoteAsync(string item, IHttpClientFactory clients, CancellationToken stop)
    {
        try
        {
            return Results.Ok(await clients.CreateClient("prices").GetFromJsonAsync<int>($"/prices/{item}", stop));
        }
        catch (HttpRequestException failed)
        {
            return Results.Problem(failed.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }
}
