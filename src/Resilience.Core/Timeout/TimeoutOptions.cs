namespace Resilience;

/// <summary>How long a call, or an attempt, may take.</summary>
public sealed class TimeoutOptions : PolicyOptions
{
    internal static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);

    /// <summary>The time allowed, 1 ms to a day. Default 30 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Another time for this call; null, a throw or an answer out of range means <see cref="Timeout"/>; the latter two are
    /// counted in <c>resilience.callback.errors</c>. Default null.</summary>
    public Func<ResilienceContext, TimeSpan?>? TimeoutFor { get; set; }

    /// <summary>
    /// How long to wait, after the time is up, for a delegate that does not honor its token, before walking away from it. Zero to a day.
    /// Default null: wait until it ends, because a delegate that is left alone still runs and still holds what it holds.
    /// </summary>
    public TimeSpan? AbandonAfter { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "timeout";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Span(nameof(Timeout), Timeout, Shortest);
        if (AbandonAfter is { } abandon) check.Span(nameof(AbandonAfter), abandon, TimeSpan.Zero);
    }
}

/// <summary>A timeout policy ended a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The timeout policy.</param>
/// <param name="Timeout">The time allowed.</param>
/// <param name="Attempt">The attempt that was under way, 0 for the first.</param>
/// <param name="IsAbandoned">True when the delegate did not honor its token and was left alone.</param>
public sealed record CallTimedOut(string PipelineName, string PolicyName, TimeSpan Timeout, int Attempt, bool IsAbandoned)
    : ResilienceEvent(PipelineName, PolicyName)
{
    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 5;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (IsAbandoned) return $"timed out after {Timeout} in attempt {AttemptNumber}, which did not honor its token and was abandoned";
        return $"timed out after {Timeout} in attempt {AttemptNumber}";
    }
}

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
        builder.AddPolicy(options, environment => new TimeoutPolicy(options, environment));

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
