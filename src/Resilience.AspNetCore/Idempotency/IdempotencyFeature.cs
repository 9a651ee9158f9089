namespace Resilience;

/// <summary>Marks a request that is under protection, and carries its claim.</summary>
internal sealed class IdempotencyFeature(IdempotencyClaim claim)
{
    internal IdempotencyClaim Claim { get; } = claim;

    /// <summary>True when code of the endpoint has run; meaningful where <see cref="BeginningWatch"/> watches.</summary>
    internal bool HasBegun { get; set; }
}
