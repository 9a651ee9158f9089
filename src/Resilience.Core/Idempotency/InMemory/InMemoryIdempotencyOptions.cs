using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Bounds of an in-memory store.</summary>
public sealed class InMemoryIdempotencyOptions : PolicyOptions
{
    /// <summary>The most records, 1 to 1,000,000,000. Default 1,000,000.</summary>
    public int MaxRecords { get; set; } = 1_000_000;

    /// <summary>The most bytes, records (some 190 bytes each) and payloads together, from 64 KiB. Default 512 MiB.</summary>
    /// <remarks>Asked when a claim is made, never when it is completed: what was done can always be recorded. The payloads of the claims
    /// that run at that moment come on top.</remarks>
    public long MaxBytes { get; set; } = 512L << 20;

    /// <summary>The largest payload, 1 byte to 256 MiB. Default 1 MiB.</summary>
    public int MaxPayloadBytes { get; set; } = 1 << 20;

    /// <summary>What happens to new keys when a bound is reached. Default <see cref="WhenStoreIsFull.Reject"/>.</summary>
    public WhenStoreIsFull WhenFull { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "in-memory-idempotency-store";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Number(nameof(MaxRecords), MaxRecords, 1, 1_000_000_000);
        check.Require(MaxBytes >= 64 << 10, nameof(MaxBytes), MaxBytes, "65536 or more");
        check.Number(nameof(MaxPayloadBytes), MaxPayloadBytes, 1, 256 << 20);
        check.Defined(nameof(WhenFull), WhenFull);
    }
}
