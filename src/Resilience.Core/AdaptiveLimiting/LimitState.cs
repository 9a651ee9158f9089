namespace Resilience;

/// <summary>What a limit has learnt: replaced as a whole at the end of each window. Times are milliseconds since the limit was made.</summary>
internal sealed record LimitState
{
    /// <summary>How many may run, not rounded: the word gets it rounded down. Within a probe that of the probe.</summary>
    internal double Limit { get; init; }

    /// <summary>The latency without load; 0 while it is unknown.</summary>
    internal double BaselineMs { get; init; }

    /// <summary>True until the limit was found to be too high once: it doubles.</summary>
    internal bool IsSlowStart { get; init; }

    /// <summary>Windows in a row in which latency was above what is tolerated.</summary>
    internal int WindowsBelow { get; init; }

    internal bool IsProbing { get; init; }

    /// <summary>The limit to which a probe returns.</summary>
    internal double SavedLimit { get; init; }

    internal double LastProbeMs { get; init; }

    /// <summary>How long after the last probe the next is due.</summary>
    internal double ProbeAfterMs { get; init; }

    /// <summary>Grows by one when a probe begins and when it ends.</summary>
    internal int Epoch { get; init; }

    /// <summary>The median of the last window that was judged; 0 before the first.</summary>
    internal double LatencyMs { get; init; }

    /// <summary>How latency compares with what is tolerated, in the last window that was judged: 1 or less.</summary>
    internal double Gradient { get; init; } = 1;

    /// <summary>True before the first window was judged.</summary>
    internal bool IsFresh { get; init; }

    /// <summary>The limit outside of probes.</summary>
    internal double SettledLimit => IsProbing ? SavedLimit : Limit;
}
