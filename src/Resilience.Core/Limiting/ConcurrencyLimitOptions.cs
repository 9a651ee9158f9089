using Resilience.Extensibility;

namespace Resilience;

/// <summary>How many calls may run at once, and who may wait.</summary>
public sealed class ConcurrencyLimitOptions : PolicyOptions
{
    /// <summary>The largest limit.</summary>
    internal const int Max = 1_000_000;

    private static readonly PolicySettings<ConcurrencyLimitOptions> Declared = PolicySettings.For<ConcurrencyLimitOptions>()
        .Whole(nameof(MaxConcurrent), static o => o.MaxConcurrent, static (o, v) => o.MaxConcurrent = v, 1, Max, "How many calls may run at once. Default 100.")
        .Whole(nameof(MaxQueued), static o => o.MaxQueued, static (o, v) => o.MaxQueued = v, 0, Max, "How many calls may wait for a place. Default 0.")
        .Span(nameof(MaxWait), static o => o.MaxWait, static (o, v) => o.MaxWait = v, TimeSpan.FromMilliseconds(1), null,
            "How long a call may wait, from 1 ms to a day. Default 00:00:01.");

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
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;
}
