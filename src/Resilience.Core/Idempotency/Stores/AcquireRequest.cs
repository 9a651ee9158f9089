namespace Resilience.Idempotency;

/// <summary>What one tries to claim.</summary>
public readonly record struct AcquireRequest
{
    /// <summary>The operation.</summary>
    public required IdempotencyId Id { get; init; }

    /// <summary>What is asked for. A record with another one answers <see cref="AcquireStatus.Mismatch"/>.</summary>
    public Fingerprint Fingerprint { get; init; }

    /// <summary>Names this try: who asks again with the same nonce, because the reply was lost, receives the same claim again. Never empty.</summary>
    public required Guid Nonce { get; init; }

    /// <summary>How long the claim lasts unless it is renewed; afterwards others may take over.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>How long the record is kept if it is never completed; never shorter than the lease.</summary>
    public required TimeSpan Retention { get; init; }

    /// <summary>How often the operation may be begun in all. When that many claims have lapsed, the answer is <see cref="AcquireStatus.Abandoned"/>.
    /// 1 means that no caller ever takes over.</summary>
    public required int MaxAttempts { get; init; }
}
