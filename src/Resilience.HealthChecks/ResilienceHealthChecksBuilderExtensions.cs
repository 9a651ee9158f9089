using Microsoft.Extensions.Diagnostics.HealthChecks;
using Resilience;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the health check of the circuits.</summary>
public static class ResilienceHealthChecksBuilderExtensions
{
    /// <summary>Adds a check that says when circuits are open: those of registered pipelines and of HttpClients, as far as they were used.</summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="name">The name of the check. Default <c>resilience</c>.</param>
    /// <param name="failureStatus">What an open or isolated circuit means. Default (null) <see cref="HealthStatus.Degraded"/>: the process is
    /// well, something that it asks is not, and restarting it would not help.</param>
    /// <param name="tags">The tags of the check, to leave it out of liveness probes, say.</param>
    /// <param name="configure">Which circuits count.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="name"/> is null.</exception>
    public static IHealthChecksBuilder AddResilience(
        this IHealthChecksBuilder builder,
        string name = "resilience",
        HealthStatus? failureStatus = null,
        IEnumerable<string>? tags = null,
        Action<ResilienceHealthOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);
        ResilienceHealthOptions options = new();
        configure?.Invoke(options);
        builder.Services.AddResilience();
        return builder.Add(new(
            name,
            services => new ResilienceHealthCheck(
                services.GetRequiredService<ResiliencePipelineProvider>(), services.GetService<HttpResilienceProvider>(), options),
            failureStatus ?? HealthStatus.Degraded,
            tags));
    }
}
