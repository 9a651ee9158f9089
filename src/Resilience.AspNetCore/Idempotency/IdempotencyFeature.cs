namespace Resilience;

/// <summary>Marks a request that is under protection, and carries its claim.</summary>
internal sealed class IdempotencyFeature(IdempotencyClaim claim, IdempotencyKey key)
{
    /// <summary>The key with its scope, as it was asked for.</summary>
    internal IdempotencyKey Key { get; } = key;

    internal IdempotencyClaim Claim { get; } = claim;

    /// <summary>True when code of the endpoint has run; meaningful where <see cref="BeginningWatch"/> watches.</summary>
    internal bool HasBegun { get; set; }
}
