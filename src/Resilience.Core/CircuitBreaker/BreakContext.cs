namespace Resilience.Extensibility;

/// <summary>A circuit that is about to open, as <see cref="CircuitBreakerOptions.BreakDurationFor"/> sees it.</summary>
public readonly struct BreakContext
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);
    private readonly object? _failure;
    private readonly long _askedMs;
    private readonly long _computedMs;

    internal BreakContext(TripCause cause, int breaksInRow, object? failure, long askedMs, long computedMs)
    {
        Cause = cause;
        BreaksInRow = breaksInRow;
        _failure = failure;
        _askedMs = askedMs;
        _computedMs = computedMs;
    }

    /// <summary>The rule that opens it, with the counts that did it.</summary>
    public TripCause Cause { get; }

    /// <summary>How many breaks have followed each other, this one included: 1 for the first. Each span of health of
    /// <see cref="CircuitBreakerOptions.BreakDecay"/> takes one back.</summary>
    public int BreaksInRow { get; }

    /// <summary>What the last failure has thrown; null where it was a result, where calls were slow, or where the breaker is used by hand. For a
    /// rejection the exception is made by this call.</summary>
    public Exception? LastException => Events.CircuitChanged.ExceptionOf(_failure);

    /// <summary>The name of the result that was the last failure ("503"); null where it was an exception.</summary>
    public string? LastResult => _failure as string;

    /// <summary>When the last failure has asked to be called again, from now on; null when it did not say.</summary>
    public TimeSpan? RetryAfter => _askedMs > 0 ? TimeSpan.FromMilliseconds(_askedMs) : null;

    /// <summary>The span that the options give: growth, jitter and, with <see cref="CircuitBreakerOptions.BreakFollowsRetryAfter"/>, what was asked for
    /// are in it.</summary>
    public TimeSpan Computed => TimeSpan.FromMilliseconds(_computedMs);

    /// <summary>How long a circuit that opens now stays open, in milliseconds, and how many breaks that makes in a row.</summary>
    internal static (long Ms, int InRow) Decide(
        CircuitEpoch epoch, BreakerSettings settings, TripCause cause, int level, long healthyMs, long nowMs, double draw)
    {
        long askedMs = epoch.AskedUntil(settings, cause.Rule) - nowMs, breakMs = BreakerRules.BreakMs(level, settings, draw);
        if (settings.FollowsRetryAfter) breakMs = BreakerRules.Followed(breakMs, askedMs, settings);
        int breaks = BreakerRules.NextBreaks(epoch.Breaks, healthyMs, settings);
        if (settings.BreakDurationFor is { } ask) breakMs = Ask(ask, new(cause, breaks, Volatile.Read(ref epoch.LastFailure), askedMs, breakMs));
        return (breakMs, breaks);
    }

    /// <summary>In milliseconds: what the delegate says, or else the computed span.</summary>
    private static long Ask(Func<BreakContext, TimeSpan?> ask, BreakContext context)
    {
        TimeSpan? said = Safely.Ask("circuit breaker BreakDurationFor", ask, context, null);
        return said is not { } span ? context._computedMs
            : span < Shortest ? 1
            : Clock.ToMs(span > OptionsCheck.MaxSpan ? OptionsCheck.MaxSpan : span);
    }
}
