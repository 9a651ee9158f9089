namespace Resilience.Extensibility;

/// <summary>What a policy is for; the check of the order knows policies by their role only.</summary>
public enum PolicyRole
{
    /// <summary>Something else, a policy of the user's.</summary>
    Other = 0,

    /// <summary>Limits the time of what it wraps.</summary>
    Timeout,

    /// <summary>Repeats what it wraps.</summary>
    Retry,

    /// <summary>Rejects calls to a dependency that is failing.</summary>
    CircuitBreaker,

    /// <summary>Puts something in the place of a failure.</summary>
    Fallback,

    /// <summary>Bounds how many calls run at once.</summary>
    ConcurrencyLimit,

    /// <summary>Bounds how many calls start in a span of time.</summary>
    RateLimit,

    /// <summary>Runs a second attempt beside a slow first one.</summary>
    Hedging,

    /// <summary>Makes sure that one key is executed once.</summary>
    Idempotency,

    /// <summary>Injects faults on purpose.</summary>
    Chaos,

    /// <summary>A pipeline inside a pipeline.</summary>
    Pipeline,

    /// <summary>Rejects a share of the calls to a dependency that is overloaded.</summary>
    Throttle,
}
