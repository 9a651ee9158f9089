namespace Resilience.Idempotency;

/// <content>Whether the store works, before a caller needs it.</content>
public sealed partial class IdempotencyGate
{
    private static readonly TimeSpan CheckedLease = TimeSpan.FromSeconds(1);

    /// <summary>Asks the store for a claim of a record of its own and gives it back, so that a missing table, a missing right and a wrong password are
    /// found before a caller meets them; then asks how it is set up, if it can say so (<see cref="ICheckableIdempotencyStore"/>).</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What the store says about itself: one sentence for each thing that weakens what it promises.</returns>
    /// <remarks>It writes: for a check at the start. <see cref="PeekAsync"/> only looks, for a check that is made again and again. Waits at most for
    /// <see cref="IdempotencyOptions.AcquireTimeout"/> and twice for <see cref="IdempotencyOptions.FinishTimeout"/>.</remarks>
    /// <exception cref="IdempotencyStoreException">The store cannot be used. <see cref="IdempotencyStoreException.Fault"/> tells an outage, which passes,
    /// from a mistake, which does not (<see cref="IdempotencyStoreFault.Misconfigured"/>).</exception>
    /// <exception cref="OperationCanceledException">The caller has left.</exception>
    public async Task<IReadOnlyList<string>> CheckStoreAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IdempotencyId id = IdempotencyKey.Shared($"store check {NonceOf(NextNumber()):N}").ToId();
        AcquireRequest request = new() { Id = id, Nonce = NonceOf(NextNumber()), Lease = CheckedLease, Retention = CheckedLease, MaxAttempts = 1 };
        AcquireResult answer = await _store.AcquireAsync(request).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        bool isGivenBack = answer.Status == AcquireStatus.Acquired
            && await _store.ReleaseAsync(id, answer.Fence, answer.Attempt).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        if (!isGivenBack)
        {
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Misconfigured, $"The store '{Store.Traits.Name}' does not keep what is written to it: a new record was not there.");
        }

        return await _store.CheckAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
    }
}
