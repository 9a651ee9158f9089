using Resilience.Chaos;

namespace Resilience;

/// <summary>Adds chaos to a pipeline.</summary>
public static class ChaosPipelineBuilderExtensions
{
    /// <summary>Adds chaos, usually last, so that everything before it is rehearsed.</summary>
    /// <remarks><c>Build</c> throws <see cref="ResilienceOptionsException"/> in an environment in which it is not allowed.</remarks>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddChaos<TBuilder>(this TBuilder builder, ChaosOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, static (copy, environment) => new ChaosPolicy(copy, environment));

    /// <summary>Adds chaos whose options are set by the delegate.</summary>
    /// <inheritdoc cref="AddChaos{TBuilder}(TBuilder, ChaosOptions)"/>
    public static TBuilder AddChaos<TBuilder>(this TBuilder builder, Action<ChaosOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(configure);
        ChaosOptions options = new();
        configure(options);
        return builder.AddChaos(options);
    }
}
