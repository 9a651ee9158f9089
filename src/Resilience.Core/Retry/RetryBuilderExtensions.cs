using Resilience.Extensibility;

namespace Resilience;

/// <summary>Adds retries to a pipeline.</summary>
public static class RetryBuilderExtensions
{
    /// <summary>Repeats failures with the default options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddRetry<TBuilder>(this TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase => builder.AddRetry(new RetryOptions());

    /// <summary>Repeats failures. The options are read when the pipeline is built.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddRetry<TBuilder>(this TBuilder builder, RetryOptions options)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(options);
        return builder.AddPolicy(options, static (copy, environment) => new RetryPolicy(copy, environment));
    }

    /// <summary>Repeats failures with the default options, changed by <paramref name="configure"/>, which runs at once.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddRetry<TBuilder>(this TBuilder builder, Action<RetryOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(configure);
        RetryOptions options = new();
        configure(options);
        return builder.AddRetry(options);
    }
}
