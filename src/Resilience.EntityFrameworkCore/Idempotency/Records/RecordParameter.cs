namespace Resilience.Idempotency;

/// <summary>A parameter of the statements, with the property whose type it has.</summary>
internal sealed record RecordParameter(string Name, string Property)
{
    internal static readonly RecordParameter
        Id = new("id", RecordModel.Id),
        State = new("state", RecordModel.State),
        Fence = new("fence", RecordModel.Fence),
        Attempt = new("attempt", RecordModel.Attempt),
        Nonce = new("nonce", RecordModel.Nonce),
        Fingerprint = new("print", RecordModel.Fingerprint),
        LeaseUntil = new("until", RecordModel.LeaseUntil),
        ExpiresAt = new("expires", RecordModel.ExpiresAt),
        ExpiresDay = new("day", RecordModel.ExpiresDay),
        Payload = new("payload", RecordModel.Payload),
        SeenState = new("seen_state", RecordModel.State),
        SeenFence = new("seen_fence", RecordModel.Fence),
        SeenLeaseUntil = new("seen_until", RecordModel.LeaseUntil),
        SeenExpiresAt = new("seen_expires", RecordModel.ExpiresAt);

    /// <summary>Spans, in microseconds.</summary>
    internal static readonly RecordParameter Lease = new("lease", RecordModel.LeaseUntil), Kept = new("kept", RecordModel.LeaseUntil);

    /// <summary>The number of the lock of an id.</summary>
    internal static readonly RecordParameter Lock = new("lock", RecordModel.Fence);
}
