namespace Resilience.Overload;

/// <summary>Which failures an <see cref="AdaptiveThrottle"/> takes for a sign of overload.</summary>
public enum ThrottleCounts
{
    /// <summary>What says that the dependency is overloaded: <see cref="Classification.IsOverload"/> (429, 503 and their like in other transports), and
    /// attempts that were cut by a timeout. What is broken is the business of a circuit breaker.</summary>
    Overload = 0,

    /// <summary>Every failure.</summary>
    AllFailures = 1,
}
