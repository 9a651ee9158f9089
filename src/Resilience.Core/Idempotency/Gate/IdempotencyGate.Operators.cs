namespace Resilience.Idempotency;

/// <content>For operators: whether the store works, and the way out for a record whose outcome is unknown.</content>
public sealed partial class IdempotencyGate
{
    /// <summary>Looks at a record, without its result: for a person who is to decide about it.</summary>
    /// <param name="id">The record; see <see cref="IdempotencyKey.ToId"/> and <see cref="IdempotencyId.TryParse"/>.</param>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    public ValueTask<PeekResult> PeekAsync(IdempotencyId id) => _store.PeekAsync(id);

    /// <summary>Decides about a record whose outcome is unknown: its outcome was recorded as unknown, its attempts are used up, or its lease has ended.
    /// From then on duplicates hear what was decided, and a late owner of the record changes nothing.</summary>
    /// <param name="id">The record; see <see cref="IdempotencyKey.ToId"/> and <see cref="IdempotencyId.TryParse"/>.</param>
    /// <param name="resolution">What is known now. It is kept for <see cref="IdempotencyOptions.Retention"/> from now.</param>
    /// <returns>Whether it was decided, or what the record is instead: a result is never changed, and a live claim is left alone.</returns>
    /// <remarks>Nothing is stopped by it: say <see cref="IdempotencyResolution.NotDone"/> only when you know that what had begun the operation runs no
    /// more. Counted in <c>resilience.idempotency.completions</c> as <c>resolved</c>.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="resolution"/> is null.</exception>
    /// <exception cref="NotSupportedException">The store is no <see cref="IResolvableIdempotencyStore"/>.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked in time. Ask again: whether it was decided is not known.</exception>
    public ValueTask<ResolveResult> ResolveAsync(IdempotencyId id, IdempotencyResolution resolution) => Resolutions.ResolveAsync(this, id, resolution);

    /// <summary>Lets this process forget what it has seen of a completed record, so that the next duplicate asks the store: call it after you have erased or
    /// replaced the record there. Other processes do so within <see cref="IdempotencyOptions.ReplayCacheTime"/>.</summary>
    /// <param name="id">The record; see <see cref="IdempotencyKey.ToId"/> and <see cref="IdempotencyId.TryParse"/>.</param>
    public void ForgetReplay(IdempotencyId id) => _replays?.Forget(id, _clock.NowMs);

    /// <summary>Asks the store for a claim of a record of its own and gives it back, so that a missing table, a missing right and a wrong password are
    /// found before a caller meets them; then asks how it is set up, if it can say so (<see cref="ICheckableIdempotencyStore"/>).</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What the store says about itself: one sentence for each thing that weakens what it promises.</returns>
    /// <remarks>It writes: for a check at the start. <see cref="PeekAsync"/> only looks, for a check that is made again and again. Waits at most for
    /// <see cref="IdempotencyOptions.AcquireTimeout"/> and twice for <see cref="IdempotencyOptions.FinishTimeout"/>.</remarks>
    /// <exception cref="IdempotencyStoreException">The store cannot be used. <see cref="IdempotencyStoreException.Fault"/> tells an outage, which passes,
    /// from a mistake, which does not (<see cref="IdempotencyStoreFault.Misconfigured"/>).</exception>
    /// <exception cref="OperationCanceledException">The caller has left.</exception>
    public Task<IReadOnlyList<string>> CheckStoreAsync(CancellationToken cancellationToken = default) => StoreCheck.RunAsync(this, cancellationToken);
}
