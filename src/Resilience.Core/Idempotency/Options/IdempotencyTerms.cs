using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>What some operations of a gate have otherwise than the others: how long their claims last, how long their outcomes are kept, how often
/// they may be begun, and what their duplicates do. What is null is as the gate has it. Immutable; equal terms are the same terms.</summary>
public sealed record IdempotencyTerms
{
    /// <summary>See <see cref="IdempotencyOptions.Lease"/>: 50 ms to an hour.</summary>
    public TimeSpan? Lease { get; init; }

    /// <summary>See <see cref="IdempotencyOptions.Retention"/>: from the lease to ten years.</summary>
    public TimeSpan? Retention { get; init; }

    /// <summary>See <see cref="IdempotencyOptions.MaxExecution"/>: from the lease to a day.</summary>
    public TimeSpan? MaxExecution { get; init; }

    /// <summary>See <see cref="IdempotencyOptions.MaxAttempts"/>: from 1.</summary>
    public int? MaxAttempts { get; init; }

    /// <summary>See <see cref="IdempotencyOptions.WhenInFlight"/>.</summary>
    public WhenInFlight? WhenInFlight { get; init; }

    /// <summary>See <see cref="IdempotencyOptions.MaxWait"/>: 1 ms to an hour.</summary>
    public TimeSpan? MaxWait { get; init; }

    /// <summary>The options with these terms in place of their own, as a copy.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public IdempotencyOptions ApplyTo(IdempotencyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        IdempotencyOptions changed = options.Copy();
        changed.Lease = Lease ?? options.Lease;
        changed.Retention = Retention ?? options.Retention;
        changed.MaxExecution = MaxExecution ?? options.MaxExecution;
        changed.MaxAttempts = MaxAttempts ?? options.MaxAttempts;
        changed.WhenInFlight = WhenInFlight ?? options.WhenInFlight;
        changed.MaxWait = MaxWait ?? options.MaxWait;
        return changed;
    }
}
