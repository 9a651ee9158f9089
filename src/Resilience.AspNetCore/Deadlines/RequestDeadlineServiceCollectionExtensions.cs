using Resilience.Overload;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Options of the middleware for deadlines.</summary>
public static class RequestDeadlineServiceCollectionExtensions
{
    /// <summary>Sets how <c>UseRequestDeadlines</c> reads what callers say. Without it the defaults hold.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Changes the options.</param>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IServiceCollection AddRequestDeadlines(this IServiceCollection services, Action<RequestDeadlineOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<RequestDeadlineOptions>();
        if (configure is not null) services.Configure(configure);
        return services;
    }
}
