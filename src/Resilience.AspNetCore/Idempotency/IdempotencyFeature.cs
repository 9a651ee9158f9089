namespace Resilience.Idempotency;

/// <summary>Marks a request that is under protection, and carries its claim.</summary>
internal sealed class IdempotencyFeature(IdempotencyClaim claim, IdempotencyKey key, IdempotencyEndpointFilter endpoint) : IIdempotencyFeature
{
    /// <inheritdoc/>
    public IdempotencyKey Key { get; } = key;

    /// <inheritdoc/>
    public IdempotencyClaim Claim { get; } = claim;

    /// <summary>Knows how responses are kept here.</summary>
    internal IdempotencyEndpointFilter Endpoint { get; } = endpoint;

    /// <summary>True when the endpoint was told, as it completed its key in a transaction, that its claim is lost.</summary>
    internal bool WasLost { get; set; }

    /// <summary>True when the key was given back: nothing is kept of it.</summary>
    internal bool IsGivenBack { get; set; }

    /// <summary>True when code of the endpoint has run; meaningful where <see cref="BeginningWatch"/> watches.</summary>
    internal bool HasBegun { get; set; }
}
