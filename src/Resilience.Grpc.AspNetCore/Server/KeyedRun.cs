using Grpc.Core;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>One execution of a method under a key: what the method can know of it, and what the method tells of it.</summary>
/// <param name="claim">The claim.</param>
/// <param name="key">The key with its scope.</param>
/// <param name="encode">Writes down a response of this method with its trailers.</param>
internal sealed class KeyedRun(IdempotencyClaim claim, IdempotencyKey key, Func<object, Metadata, byte[]> encode) : IIdempotencyFeature
{
    /// <inheritdoc/>
    public IdempotencyClaim Claim { get; } = claim;

    /// <inheritdoc/>
    public IdempotencyKey Key { get; } = key;

    internal Func<object, Metadata, byte[]> Encode { get; } = encode;

    /// <summary>True when the method was told, as it completed its key in a transaction, that its claim is lost.</summary>
    internal bool WasLost { get; set; }

    /// <summary>True when the key was given back: nothing is kept of it.</summary>
    internal bool IsGivenBack { get; set; }
}
