namespace Resilience;

/// <summary>Adds hedging to a pipeline.</summary>
public static class HedgingPipelineBuilderExtensions
{
    /// <summary>Adds hedging with the default options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddHedging<TBuilder>(this TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase => builder.AddHedging(new HedgingOptions());

    /// <summary>Adds hedging: a second attempt runs beside a slow first one, and the first success wins. For calls that may be made twice
    /// at once.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddHedging<TBuilder>(this TBuilder builder, HedgingOptions options)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(options);
        return builder.AddPolicy(options, static (copy, environment) => new HedgingPolicy(copy, environment));
    }

    /// <summary>Adds hedging whose options are set by the delegate, which runs at once.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddHedging<TBuilder>(this TBuilder builder, Action<HedgingOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(configure);
        HedgingOptions options = new();
        configure(options);
        return builder.AddHedging(options);
    }
}
