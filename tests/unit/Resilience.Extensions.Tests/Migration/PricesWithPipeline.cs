using Microsoft.Extensions.DependencyInjection;
using Resilience;

namespace Shop.WithPipeline;

internal static class Program
{
    internal static void AddPrices(this IServiceCollection services)
    {
        services.AddResilience().AddPipeline("prices", "Resilience:Pipelines:prices");
        services.AddSingleton<PriceClient>();
    }
}

internal sealed class PriceClient([FromKeyedServices("prices")] ResiliencePipeline pipeline, HttpClient http)
{
    internal async Task<string> GetAsync(string item, CancellationToken cancellationToken)
    {
        try
        {
            return await pipeline.ExecuteAsync(ct => http.GetStringAsync(item, ct), cancellationToken);
        }
        catch (CircuitOpenException)
        {
            return "no price: the service is down";
        }
        catch (TimedOutException)
        {
            return "no price: it took too long";
        }
        catch (HttpRequestException failed)
        {
            return $"no price: {(int?)failed.StatusCode}";
        }
    }
}
