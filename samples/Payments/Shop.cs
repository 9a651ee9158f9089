using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.PaymentsSample;

/// <summary>The shop: thirty customers buy something, and click again when they see an error.</summary>
internal static class Shop
{
    internal const int Orders = 30;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    internal static async Task<int> RunAsync(Settings settings)
    {
        ServiceCollection services = new();
        services.AddHttpClient("payments", http => http.BaseAddress = new($"http://127.0.0.1:{settings.Port}")).AddStandardResilience(o =>
        {
            o.CircuitBreaker!.BreakDuration = TimeSpan.FromSeconds(0.5);    // the story is short, and the service is back in a second
            o.CircuitBreaker.MaxBreakDuration = TimeSpan.FromSeconds(1);
        });
        await using ServiceProvider provider = services.BuildServiceProvider();
        HttpClient payments = provider.GetRequiredService<IHttpClientFactory>().CreateClient("payments");

        int clicks = 0;
        using CancellationTokenSource patience = new(Patience);
        await Parallel.ForAsync(1, Orders + 1, new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = patience.Token }, async (order, stop) =>
        {
            while (!await TryBuyAsync(payments, $"order-{order:00}", 1000 + order, settings.UsesKeys, stop))
            {
                Interlocked.Increment(ref clicks);                  // "error, try again"
                await Task.Delay(300, stop);
            }
        });
        Console.WriteLine($"   {Orders} customers have a receipt; {clicks} times one of them saw an error and clicked again.");
        return 0;
    }

    private static async Task<bool> TryBuyAsync(HttpClient payments, string order, int cents, bool usesKeys, CancellationToken stop)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, "/charges") { Content = JsonContent.Create(new Charge(order, cents)) };
        if (usesKeys) request.Headers.Add("Idempotency-Key", order);    // the same at every click; and now our client may repeat the POST itself
        try
        {
            using HttpResponseMessage response = await payments.SendAsync(request, stop);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
