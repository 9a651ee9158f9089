namespace Resilience;

/// <summary>Adds timeouts to a pipeline.</summary>
public static class TimeoutPipelineBuilderExtensions
{
    /// <summary>Adds a timeout. Outside a retry it limits the whole call, inside it each attempt.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddTimeout<TBuilder>(this TBuilder builder, TimeSpan timeout)
        where TBuilder : ResiliencePipelineBuilderBase => builder.AddTimeout(new TimeoutOptions { Timeout = timeout });

    /// <summary>Adds a timeout.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddTimeout<TBuilder>(this TBuilder builder, TimeoutOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, static (copy, environment) => new TimeoutPolicy(copy, environment));

    /// <summary>Adds a timeout whose options are set by the delegate.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddTimeout<TBuilder>(this TBuilder builder, Action<TimeoutOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(configure);
        TimeoutOptions options = new();
        configure(options);
        return builder.AddTimeout(options);
    }
}
