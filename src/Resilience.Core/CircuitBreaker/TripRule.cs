namespace Resilience.Extensibility;

/// <summary>Which rule opened a circuit.</summary>
public enum TripRule
{
    /// <summary>None: the circuit has not been opened by a rule.</summary>
    None = 0,

    /// <summary>Too large a share of the calls in the window failed.</summary>
    FailureRatio,

    /// <summary>Too many calls failed in a row.</summary>
    ConsecutiveFailures,

    /// <summary>Too large a share of the calls was slow, or still is under way and already slow.</summary>
    SlowCalls,

    /// <summary>A probe failed, or succeeded too slowly where slow calls are watched.</summary>
    ProbeFailed,

    /// <summary>By hand: a person isolated the circuit, or closed it.</summary>
    ByHand,
}
