namespace Resilience.Idempotency;

/// <summary>A store in which a person, or code that found out, can decide about a record whose outcome is unknown. Thread-safe.</summary>
/// <remarks>Ours are: memory, SQLite, PostgreSQL and Redis. The laws are named checks of the contract suite in <c>Resilience.Testing</c>:
/// a decision gives the record a new fence, so a late owner changes nothing; it never touches a result or a live claim; to send it again
/// with the same nonce changes nothing and answers as before.</remarks>
public interface IResolvableIdempotencyStore : IIdempotencyStore
{
    /// <summary>Decides about a record whose outcome is unknown: its outcome was recorded as unknown, or its lease has ended without an outcome.
    /// Everything else is left as it is, and the answer says what it is.</summary>
    /// <param name="request">The decision.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="ArgumentException">The request makes no sense, or the payload is larger than <see cref="IdempotencyStoreTraits.MaxPayloadBytes"/>;
    /// nothing was changed.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default);
}
