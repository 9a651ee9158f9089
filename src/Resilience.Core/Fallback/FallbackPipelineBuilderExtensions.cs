namespace Resilience;

/// <summary>Adds fallbacks to a pipeline.</summary>
public static class FallbackPipelineBuilderExtensions
{
    /// <summary>Adds a fallback.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder<T> AddFallback<T>(this ResiliencePipelineBuilder<T> builder, FallbackOptions<T> options) =>
        builder.AddPolicy(options, static (copy, environment) => new FallbackPolicy<T>(copy, environment));

    /// <summary>Adds a fallback whose options are set by the delegate.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder<T> AddFallback<T>(this ResiliencePipelineBuilder<T> builder, Action<FallbackOptions<T>> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        FallbackOptions<T> options = new();
        configure(options);
        return builder.AddFallback(options);
    }

    /// <summary>Adds a fallback to a pipeline for any type: calls whose result is exactly <typeparamref name="T"/> have it, all
    /// others pass through untouched.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder AddFallback<T>(this ResiliencePipelineBuilder builder, FallbackOptions<T> options) =>
        builder.AddPolicy(options, static (copy, environment) => new FallbackPolicy<T>(copy, environment));

    /// <summary>Adds a fallback for calls without a result: when one fails or is rejected, the substitute runs instead. Calls with a
    /// result pass through untouched.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="substitute">Gets the exception that it replaces, and a token to honour. If it throws, the failure stands.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder AddFallback(this ResiliencePipelineBuilder builder, Func<Exception?, CancellationToken, ValueTask> substitute)
    {
        ArgumentNullException.ThrowIfNull(substitute);
        return builder.AddFallback(new FallbackOptions<Nothing>
        {
            Call = async arguments =>
            {
                await substitute(arguments.Outcome.Exception, arguments.Context.CancellationToken).ConfigureAwait(false);
                return default;
            },
        });
    }
}
