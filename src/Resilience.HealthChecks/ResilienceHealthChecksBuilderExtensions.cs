using Microsoft.Extensions.Diagnostics.HealthChecks;
using Resilience;
using Resilience.Http;
using Resilience.Idempotency;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the health checks of circuits and of idempotency stores.</summary>
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

    /// <summary>Adds a check that looks into the store of each gate of <c>AddIdempotency</c>, with one read that changes nothing.</summary>
    /// <param name="builder">The health checks.</param>
    /// <param name="name">The name of the check. Default <c>idempotency</c>.</param>
    /// <param name="failureStatus">What a store means that does not answer or is full. Default (null) <see cref="HealthStatus.Degraded"/>: it passes, and
    /// no node would be better off elsewhere. A mistake (no table, no right, a wrong password) does not pass and is always
    /// <see cref="HealthStatus.Unhealthy"/>, so that a rollout with one stops.</param>
    /// <param name="tags">The tags of the check, to leave it out of liveness probes, say.</param>
    /// <remarks>Each look waits for <see cref="IdempotencyOptions.AcquireTimeout"/> at most, and passes through the circuit breaker before the store.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="name"/> is null.</exception>
    public static IHealthChecksBuilder AddIdempotencyStores(
        this IHealthChecksBuilder builder, string name = "idempotency", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);
        return builder.Add(new(
            name, services => new IdempotencyStoresHealthCheck(services.GetService<IdempotencyGates>()), failureStatus ?? HealthStatus.Degraded, tags));
    }
}
