using Resilience.Extensibility;

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
