namespace Resilience;

/// <summary>What a circuit breaker does with calls.</summary>
public enum CircuitState
{
    /// <summary>Calls pass and are counted.</summary>
    Closed = 0,

    /// <summary>Calls are rejected until the break is over.</summary>
    Open = 1,

    /// <summary>The break is over: a few probes may pass, all other calls are rejected.</summary>
    HalfOpen = 2,

    /// <summary>It is held open by hand, until it is closed by hand.</summary>
    Isolated = 3,
}
