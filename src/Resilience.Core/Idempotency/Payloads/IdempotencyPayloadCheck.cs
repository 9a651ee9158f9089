namespace Resilience.Idempotency;

/// <summary>What reading a payload came to.</summary>
public enum IdempotencyPayloadCheck
{
    /// <summary>It is whole.</summary>
    Whole = 0,

    /// <summary>It is not what was written: cut, changed, or never ours.</summary>
    Corrupt = 1,

    /// <summary>It was written by a newer version of this library.</summary>
    Newer = 2,
}
