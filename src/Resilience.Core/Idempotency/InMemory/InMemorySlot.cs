namespace Resilience.Idempotency;

/// <summary>One record in memory: entry of a hash table and of a list by expiry at once. Guarded by the lock of its shard. Others are named by
/// their number, so that the collector has nothing to follow.</summary>
internal struct InMemorySlot : ISlabCell
{
    internal IdempotencyId Id;
    internal IdempotencyRecord Record;

    /// <summary>Where completed records may be forgotten: the how-manieth completion it was.</summary>
    internal long Age;

    internal uint Hash;

    /// <summary>Neighbours in the list.</summary>
    internal int Earlier, Later;

    /// <summary>The payload: see <see cref="InMemoryPayloads"/>.</summary>
    internal InMemoryPayload Payload;

    /// <summary>In which list it is.</summary>
    internal byte List;

    /// <inheritdoc/>
    public int Next { get; set; }
}
