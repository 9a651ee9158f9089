namespace Resilience.Idempotency;

/// <summary>Marks a request that is protected by a key, among the features of the request: set when the endpoint begins, by whatever protects it (an endpoint
/// with a key, the interceptor of gRPC).</summary>
/// <remarks><c>context.GetIdempotencyClaim()</c> and <c>context.GetIdempotencyKey()</c> read it. A request that has one is not protected again.</remarks>
public interface IIdempotencyFeature
{
    /// <summary>The claim of this request: its fence, keys derived from it, its point of no return.</summary>
    IdempotencyClaim Claim { get; }

    /// <summary>The key of this request with its scope.</summary>
    IdempotencyKey Key { get; }
}
