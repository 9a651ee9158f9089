using Resilience.Overload;

namespace Resilience;

/// <summary>Adds adaptive concurrency limits to a pipeline.</summary>
public static class AdaptiveConcurrencyLimitPipelineBuilderExtensions
{
    /// <summary>Adds a limit on how many calls run at once that finds its size by itself, by signs of overload or by latency. Stands inside the retry and the
    /// circuit breaker, and outside the timeout of an attempt.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddAdaptiveConcurrencyLimit<TBuilder>(this TBuilder builder, Action<AdaptiveConcurrencyLimitOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        AdaptiveConcurrencyLimitOptions options = new();
        configure?.Invoke(options);
        return builder.AddAdaptiveConcurrencyLimit(options);
    }

    /// <inheritdoc cref="AddAdaptiveConcurrencyLimit{TBuilder}(TBuilder, Action{AdaptiveConcurrencyLimitOptions}?)"/>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddAdaptiveConcurrencyLimit<TBuilder>(this TBuilder builder, AdaptiveConcurrencyLimitOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, static (copy, environment) => new AdaptiveConcurrencyLimitPolicy(copy, environment));

    /// <summary>Adds a limit that exists already, to share it between pipelines to one dependency.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddAdaptiveConcurrencyLimit<TBuilder>(this TBuilder builder, AdaptiveConcurrencyLimit limit)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(limit);
        return builder.AddPolicy(
            new AdaptiveConcurrencyLimitOptions { Name = limit.Name }, environment => new AdaptiveConcurrencyLimitPolicy(limit, environment));
    }
}
