namespace Resilience.Idempotency;

/// <summary>Where it is remembered which operations were begun and how they ended. Implementations are thread-safe.</summary>
/// <remarks>
/// <para>The laws, each of them a named check of the contract suite in <c>Resilience.Testing</c>:</para>
/// <list type="number">
/// <item>Each method is one atomic step for its id, as if ids were locked one by one; no method touches another id.</item>
/// <item>At most one caller holds an id. Each grant carries a <em>fence</em>, a number above zero that is larger than every earlier one
/// of the same id, also after the record was released, purged or expired (as far as the store's clock does not step back).</item>
/// <item><see cref="RenewAsync"/>, <see cref="CompleteAsync"/> and <see cref="ReleaseAsync"/> change something only if the record is in
/// progress and the fence is its present one. They do not ask whether the lease has lapsed: who is late but was not replaced
/// still holds it, until the record is removed.</item>
/// <item>To complete, to release, or to acquire with the same nonce, again changes no state and answers as before: replies get lost.</item>
/// <item>Payloads are opaque and come back byte for byte. Another fingerprint receives no payload.</item>
/// <item>Time is the store's own. Callers pass spans, never moments. What has expired is gone at that moment, not when a purge removes it.</item>
/// <item>A record is kept until its retention has passed: nothing removes a completed one earlier, or one whose lease is live.</item>
/// <item>Contention is an answer, never an exception. What the infrastructure does is an <see cref="IdempotencyStoreException"/>.</item>
/// <item>A cancelled call is done or not done, never half done; the caller does not know which.</item>
/// </list>
/// </remarks>
public interface IIdempotencyStore
{
    /// <summary>What this store is and where its guarantees end.</summary>
    IdempotencyStoreTraits Traits { get; }

    /// <summary>Claims the id, or says why not.</summary>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default);

    /// <summary>Makes the lease end <paramref name="lease"/> from now.</summary>
    /// <returns>False when the claim is lost: another caller has the id, or none.</returns>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default);

    /// <summary>Keeps how the operation ended, for <paramref name="retention"/> from now.</summary>
    /// <param name="id">The id.</param>
    /// <param name="fence">The fence of the claim.</param>
    /// <param name="completion">How it ended.</param>
    /// <param name="payload">What duplicates will receive. The store copies it if it needs it after the call.</param>
    /// <param name="retention">How long to keep it.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>False when the claim is lost. True as well when this same outcome was kept under this fence before.</returns>
    /// <exception cref="ArgumentException">The payload is larger than <see cref="IdempotencyStoreTraits.MaxPayloadBytes"/>; nothing was changed.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default);

    /// <summary>Gives the id back: nothing was done, any caller may claim it, with any fingerprint.</summary>
    /// <returns>False when the claim is lost, or the operation was completed: a result is never removed. True as well when it was released under
    /// this fence before, and it was not claimed since.</returns>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default);

    /// <summary>Looks, without changing anything and without the payload.</summary>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default);

    /// <summary>Removes records that have expired, at most <paramref name="max"/> of them. Nothing but space depends on it; any number
    /// of processes may do it at once.</summary>
    /// <returns>How many were removed.</returns>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default);
}
