using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Polly;
using Polly.CircuitBreaker;
using Polly.Registry;
using Polly.Retry;
using Polly.Timeout;

namespace Shop.WithPolly;

internal static class Program
{
    internal static void AddPrices(this IServiceCollection services, IConfiguration configuration)
    {
        IConfigurationSection prices = configuration.GetSection("Prices");
        services.Configure<RetryStrategyOptions>("prices", prices.GetSection("Retry"));
        services.Configure<CircuitBreakerStrategyOptions>("prices", prices.GetSection("CircuitBreaker"));
        services.AddResiliencePipeline("prices", (builder, context) =>
        {
            context.EnableReloads<RetryStrategyOptions>("prices");
            context.EnableReloads<CircuitBreakerStrategyOptions>("prices");
            builder
                .AddTimeout(prices.GetValue<TimeSpan>("TotalTimeout"))
                .AddRetry(context.GetOptions<RetryStrategyOptions>("prices"))
                .AddCircuitBreaker(context.GetOptions<CircuitBreakerStrategyOptions>("prices"))
                .AddTimeout(prices.GetValue<TimeSpan>("AttemptTimeout"));
        });
        services.AddSingleton<PriceClient>();
    }
}

internal sealed class PriceClient(ResiliencePipelineProvider<string> pipelines, HttpClient http)
{
    internal async Task<string> GetAsync(string item, CancellationToken cancellationToken)
    {
        try
        {
            return await pipelines.GetPipeline("prices").ExecuteAsync(async ct => await http.GetStringAsync(item, ct), cancellationToken);
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
