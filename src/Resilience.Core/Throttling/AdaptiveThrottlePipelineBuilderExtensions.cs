using Resilience.Overload;

namespace Resilience;

/// <summary>Adds adaptive throttles to a pipeline.</summary>
public static class AdaptiveThrottlePipelineBuilderExtensions
{
    /// <summary>Adds a throttle that rejects a share of the calls while the dependency is overloaded, each class of
    /// <see cref="CallOptions.Criticality"/> by its own count. Stands inside the retry and outside the circuit breaker.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddAdaptiveThrottle<TBuilder>(this TBuilder builder, Action<AdaptiveThrottleOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        AdaptiveThrottleOptions options = new();
        configure?.Invoke(options);
        return builder.AddAdaptiveThrottle(options);
    }

    /// <inheritdoc cref="AddAdaptiveThrottle{TBuilder}(TBuilder, Action{AdaptiveThrottleOptions}?)"/>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddAdaptiveThrottle<TBuilder>(this TBuilder builder, AdaptiveThrottleOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, static (copy, environment) => new AdaptiveThrottlePolicy(copy, environment));

    /// <summary>Adds a throttle that exists already, to share it between pipelines to one dependency.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddAdaptiveThrottle<TBuilder>(this TBuilder builder, AdaptiveThrottle throttle)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(throttle);
        return builder.AddPolicy(new AdaptiveThrottleOptions { Name = throttle.Name }, environment => new AdaptiveThrottlePolicy(throttle, environment));
    }
}
