using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace Shop.WithMicrosoft;

internal static class Program
{
    internal static IHttpClientBuilder AddPrices(this IServiceCollection services, IConfiguration configuration)
    {
        IHttpClientBuilder client = services.AddHttpClient<PriceClient>(http => http.BaseAddress = new("https://prices.example.org/"));
        client.AddStandardResilienceHandler(configuration.GetSection("Prices"));
        return client;
    }
}

internal sealed class PriceClient(HttpClient http)
{
    internal async Task<string> GetAsync(string item, CancellationToken cancellationToken)
    {
        try
        {
            return await http.GetStringAsync(item, cancellationToken);
        }
        catch (BrokenCircuitException)
        {
            return "no price: the service is down";
        }
        catch (TimeoutRejectedException)
        {
            return "no price: it took too long";
        }
        catch (HttpRequestException failed)
        {
            return $"no price: {(int?)failed.StatusCode}";
        }
    }
}
