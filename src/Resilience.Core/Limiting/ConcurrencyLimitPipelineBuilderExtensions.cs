namespace Resilience;

/// <summary>Adds concurrency limits to a pipeline.</summary>
public static class ConcurrencyLimitPipelineBuilderExtensions
{
    /// <summary>Adds a limit on how many calls run at once; who finds no place is rejected, unless a queue is allowed.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddConcurrencyLimit<TBuilder>(this TBuilder builder, int maxConcurrent, int maxQueued = 0)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = maxConcurrent, MaxQueued = maxQueued });

    /// <summary>Adds a limit on how many calls run at once.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddConcurrencyLimit<TBuilder>(this TBuilder builder, ConcurrencyLimitOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, static (copy, environment) => new ConcurrencyLimitPolicy(copy, environment));

    /// <summary>Adds a limit that exists already: to share it between pipelines, or to change it while it is in use.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddConcurrencyLimit<TBuilder>(this TBuilder builder, ConcurrencyLimit limit)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(limit);
        return builder.AddPolicy(new ConcurrencyLimitOptions { Name = limit.Name }, environment => new ConcurrencyLimitPolicy(limit, environment));
    }
}
