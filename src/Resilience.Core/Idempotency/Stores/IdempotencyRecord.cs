namespace Resilience.Idempotency;

/// <summary>A record as a value: what a store keeps for one id. <c>default</c>: there is none.</summary>
/// <remarks>Times are microseconds on the store's clock, since 1970 where records outlive the process.</remarks>
public readonly record struct IdempotencyRecord
{
    /// <summary>What is written about the operation.</summary>
    public IdempotencyRecordState State { get; init; }

    /// <summary>The stamp of the last claim.</summary>
    public long Fence { get; init; }

    /// <summary>How often the operation was begun.</summary>
    public int Attempt { get; init; }

    /// <summary>The nonce of the claim, while it is in progress and after it was completed; empty when it was released.</summary>
    public Guid Nonce { get; init; }

    /// <summary>What was asked for.</summary>
    public Fingerprint Fingerprint { get; init; }

    /// <summary>While in progress: when the lease ends.</summary>
    public long LeaseUntil { get; init; }

    /// <summary>From when on the record counts no more.</summary>
    public long ExpiresAt { get; init; }

    /// <summary>Expired, released, or never there.</summary>
    public bool IsAbsent(long now) => State is IdempotencyRecordState.Absent or IdempotencyRecordState.Released || now >= ExpiresAt;
}
