namespace Resilience.Overload;

/// <summary>A moment's view of an <see cref="AdaptiveConcurrencyLimit"/>.</summary>
public sealed record AdaptiveLimitSnapshot
{
    /// <summary>How many calls may run now. In a probe it is that of the probe.</summary>
    public required int Limit { get; init; }

    /// <summary>How many calls may run outside of probes.</summary>
    public required int SettledLimit { get; init; }

    /// <summary>Calls that run.</summary>
    public required int Running { get; init; }

    /// <summary>Calls that wait, by class: the number of a class of <see cref="Criticality"/> is the place in this list.</summary>
    public required IReadOnlyList<int> WaitingByClass { get; init; }

    /// <summary>Calls that wait.</summary>
    public int Waiting => WaitingByClass.Sum();

    /// <summary>The median latency of the last window that was judged; null before the first.</summary>
    public TimeSpan? Latency { get; init; }

    /// <summary>The latency without load; null while it is unknown, and always with <see cref="LimitAlgorithm.Signals"/>.</summary>
    public TimeSpan? Baseline { get; init; }

    /// <summary>How latency compares with what is tolerated, in the last window that was judged: 1 while it is within, less above. Always 1 with
    /// <see cref="LimitAlgorithm.Signals"/>.</summary>
    public double Gradient { get; init; } = 1;

    /// <summary>Whether the baseline is being measured now, at a part of the limit.</summary>
    public bool IsProbing { get; init; }

    /// <summary>Whether calls were rejected in this window or in the one before.</summary>
    public bool IsRejecting { get; init; }
}
