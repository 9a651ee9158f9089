namespace Resilience;

/// <summary>How many calls may run at once, and who may wait.</summary>
public sealed class ConcurrencyLimitOptions : PolicyOptions
{
    /// <summary>The largest limit.</summary>
    internal const int Max = 1_000_000;

    /// <summary>How many calls may run at once, 1 to 1,000,000. Default 100.</summary>
    public int MaxConcurrent { get; set; } = 100;

    /// <summary>How many calls may wait for a place, 0 to 1,000,000. Default 0: a call without a place is rejected at once, which an
    /// overloaded dependency needs most.</summary>
    public int MaxQueued { get; set; }

    /// <summary>How long a call may wait, 1 ms to a day; never longer than the deadline of the call. Default 1 s.</summary>
    public TimeSpan MaxWait { get; set; } = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    protected internal override string Kind => "concurrency-limit";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Number(nameof(MaxConcurrent), MaxConcurrent, 1, Max);
        check.Number(nameof(MaxQueued), MaxQueued, 0, Max);
        check.Span(nameof(MaxWait), MaxWait, TimeSpan.FromMilliseconds(1));
    }
}

/// <summary>A concurrency limit rejected a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The limit.</param>
/// <param name="Rejection">Why.</param>
public sealed record LimitReached(string PipelineName, string PolicyName, LimitRejection Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 8;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        return $"call rejected ({Rejection.Why}): {reason}";
    }
}

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
        builder.AddPolicy(options, environment => new ConcurrencyLimitPolicy(options, environment));

    /// <summary>Adds a limit that exists already: to share it between pipelines, or to change it while it is in use.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddConcurrencyLimit<TBuilder>(this TBuilder builder, ConcurrencyLimit limit)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(limit);
        return builder.AddPolicy(new ConcurrencyLimitOptions { Name = limit.Name }, environment => new ConcurrencyLimitPolicy(limit, environment));
    }
}
