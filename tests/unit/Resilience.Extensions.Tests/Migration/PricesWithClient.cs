using Microsoft.Extensions.DependencyInjection;
using Resilience.Http;

namespace Shop.WithClient;

internal static class Program
{
    internal static IHttpClientBuilder AddPrices(this IServiceCollection services) =>
        services.AddHttpClient<PriceClient>(http => http.BaseAddress = new("https://prices.example.org/"))
            .AddStandardResilience("Resilience:HttpClients:prices");
}

internal sealed class PriceClient(HttpClient http)
{
    internal async Task<string> GetAsync(string item, CancellationToken cancellationToken)
    {
        try
        {
            return await http.GetStringAsync(item, cancellationToken);
        }
        catch (HttpResilienceException ended) when (ended.IsTimeout)
        {
            return "no price: it took too long";
        }
        catch (HttpResilienceException ended) when (ended.Rejection is not null)
        {
            return "no price: the service is down";
        }
        catch (HttpRequestException failed)
        {
            return $"no price: {(int?)failed.StatusCode}";
        }
    }
}
