namespace Resilience.Idempotency;

/// <summary>What a store is and where its guarantees end.</summary>
public sealed record IdempotencyStoreTraits
{
    /// <summary>What operators call it, in lower case ("postgresql").</summary>
    public required string Name { get; init; }

    /// <summary>True when other processes see the same records.</summary>
    public bool IsShared { get; init; }

    /// <summary>True when an acknowledged write survives the end of the process and of the machine.</summary>
    public bool IsDurable { get; init; }

    /// <summary>True when every method ends before it returns: no timeouts are needed around it.</summary>
    public bool IsImmediate { get; init; }

    /// <summary>The largest payload, in bytes. Default 1 MiB.</summary>
    public int MaxPayloadBytes { get; init; } = 1 << 20;

    /// <summary>How many records it takes at most; null, the default, when it has no such bound. Endpoints let one caller have half of
    /// them.</summary>
    public int? MaxRecords { get; init; }
}
