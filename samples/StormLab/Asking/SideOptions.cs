namespace Resilience.StormLab;

/// <summary>The options of the policies of one side; null where there is no such policy.</summary>
public sealed record SideOptions
{
    /// <summary>The time of a whole call.</summary>
    public TimeSpan? TotalTimeout { get; init; }

    /// <summary>The retry.</summary>
    public RetryOptions? Retry { get; init; }

    /// <summary>The hedging.</summary>
    public HedgingOptions? Hedging { get; init; }

    /// <summary>The circuit breaker.</summary>
    public CircuitBreakerOptions? CircuitBreaker { get; init; }

    /// <summary>The concurrency limit.</summary>
    public ConcurrencyLimitOptions? ConcurrencyLimit { get; init; }

    /// <summary>The time of an attempt.</summary>
    public TimeSpan? AttemptTimeout { get; init; }
}
