namespace Resilience;

/// <summary>What was decided at the end of a window.</summary>
internal enum LimitDecision
{
    /// <summary>The limit stays.</summary>
    Hold = 0,

    Grow,

    SlowStart,

    /// <summary>Latency is above what is tolerated.</summary>
    Shrink,

    /// <summary>Signs of overload.</summary>
    Signal,

    /// <summary>Few of the places were used for a while.</summary>
    Idle,

    /// <summary>A probe begins.</summary>
    Probe,

    ProbeEnded,

    /// <summary>It would have shrunk further.</summary>
    Floor,

    /// <summary>It would have grown further.</summary>
    Ceiling,
}
