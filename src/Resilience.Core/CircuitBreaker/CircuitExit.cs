namespace Resilience.Extensibility;

/// <summary>The answer of <see cref="CircuitBreaker.Exit(CircuitPermit, Verdict)"/>.</summary>
public enum CircuitExit
{
    /// <summary>The result was counted.</summary>
    Counted = 0,

    /// <summary>The verdict says nothing about the dependency: the permit was given back, nothing was counted.</summary>
    Released = 1,

    /// <summary>The result came too late: the circuit has changed since the call was admitted. Nothing was counted, nothing changed.</summary>
    Stale = 2,
}
