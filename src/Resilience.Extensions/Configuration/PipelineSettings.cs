namespace Resilience.Configuration;

/// <summary>What configuration may say about a whole pipeline. A group that is present (even empty) is a policy of the pipeline; a group
/// that is absent is none.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record PipelineSettings
{
    /// <summary>The time allowed for the whole call, all attempts and waits together: 1 ms to a day. Null: no limit.</summary>
    public TimeSpan? TotalTimeout { get; set; }

    /// <summary>The retry. Null: none.</summary>
    public RetrySettings? Retry { get; set; }

    /// <summary>The hedging. Null: none.</summary>
    public HedgingSettings? Hedging { get; set; }

    /// <summary>The circuit breaker. Null: none.</summary>
    public CircuitBreakerSettings? CircuitBreaker { get; set; }

    /// <summary>The concurrency limit. Null: none.</summary>
    public ConcurrencyLimitSettings? ConcurrencyLimit { get; set; }

    /// <summary>The time allowed for each attempt: 1 ms to a day. Null: no limit.</summary>
    public TimeSpan? AttemptTimeout { get; set; }

    /// <inheritdoc cref="TimeoutOptions.AbandonAfter"/>
    public TimeSpan? AbandonAttemptAfter { get; set; }

    /// <summary>Chaos, innermost. Null: none.</summary>
    public ChaosSettings? Chaos { get; set; }

    /// <summary>Codes of findings about the order and arithmetic of the policies (such as <c>RES008</c>) that are meant and therefore no
    /// errors. Null: none.</summary>
    public IReadOnlyList<string>? AcceptedWarnings { get; set; }

    /// <inheritdoc/>
    public bool Equals(PipelineSettings? other) =>
        other is not null
        && (TotalTimeout, AttemptTimeout, AbandonAttemptAfter) == (other.TotalTimeout, other.AttemptTimeout, other.AbandonAttemptAfter)
        && Retry == other.Retry
        && Hedging == other.Hedging
        && CircuitBreaker == other.CircuitBreaker
        && ConcurrencyLimit == other.ConcurrencyLimit
        && Chaos == other.Chaos
        && SettingLists.Same(AcceptedWarnings, other.AcceptedWarnings);

    /// <inheritdoc/>
    public override int GetHashCode() =>
        HashCode.Combine(
            (TotalTimeout, Retry, Hedging), CircuitBreaker, ConcurrencyLimit, AttemptTimeout, AbandonAttemptAfter, Chaos, AcceptedWarnings?.Count);
}

/// <summary>Equality of lists by what is in them.</summary>
internal static class SettingLists
{
    internal static bool Same(IReadOnlyList<string>? left, IReadOnlyList<string>? right) =>
        left is null || right is null ? (left ?? right) is null or { Count: 0 } : left.SequenceEqual(right, StringComparer.Ordinal);
}
