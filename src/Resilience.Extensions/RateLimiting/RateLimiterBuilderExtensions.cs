using System.Threading.RateLimiting;

namespace Resilience;

/// <summary>Adds the limiters of <c>System.Threading.RateLimiting</c> to a pipeline.</summary>
/// <remarks>The pipeline does not own the limiter: its maker disposes of it, after the last call.</remarks>
public static class RateLimiterBuilderExtensions
{
    /// <summary>Adds a limiter: each call takes a lease and gives it back when it ends. A call without a lease is rejected, with the limiter's
    /// own <c>RetryAfter</c>.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="limiter">Any limiter; it may be shared with other pipelines.</param>
    /// <param name="configure">Changes the options; runs at once.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="limiter"/> is null.</exception>
    public static TBuilder AddRateLimiter<TBuilder>(this TBuilder builder, RateLimiter limiter, Action<RateLimiterOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(limiter);
        return builder.Add(new PlainLeases(limiter), configure);
    }

    /// <summary>Adds a limiter with a partition for each key: tenant, operation, authority. The limiter reads the key from the context.</summary>
    /// <inheritdoc cref="AddRateLimiter{TBuilder}(TBuilder, RateLimiter, Action{RateLimiterOptions}?)"/>
    public static TBuilder AddRateLimiter<TBuilder>(
        this TBuilder builder, PartitionedRateLimiter<ResilienceContext> limiter, Action<RateLimiterOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(limiter);
        return builder.Add(new PartitionedLeases(limiter), configure);
    }

    private static TBuilder Add<TBuilder>(this TBuilder builder, Leases leases, Action<RateLimiterOptions>? configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        RateLimiterOptions options = new();
        configure?.Invoke(options);
        return builder.AddPolicy(options, (copy, environment) => new RateLimiterPolicy(leases, copy, environment));
    }
}
