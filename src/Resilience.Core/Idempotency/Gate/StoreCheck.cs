namespace Resilience.Idempotency;

/// <summary>Whether the store of a gate works, before a caller needs it.</summary>
internal static class StoreCheck
{
    private static readonly TimeSpan CheckedLease = TimeSpan.FromSeconds(1);

    internal static async Task<IReadOnlyList<string>> RunAsync(IdempotencyGate gate, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        IdempotencyId id = IdempotencyKey.Shared($"store check {gate.NonceOf(gate.NextNumber()):N}").ToId();
        AcquireRequest request = new() { Id = id, Nonce = gate.NonceOf(gate.NextNumber()), Lease = CheckedLease, Retention = CheckedLease, MaxAttempts = 1 };
        AcquireResult answer = await gate.Calls.AcquireAsync(request).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        bool isGivenBack = answer.Status == AcquireStatus.Acquired
            && await gate.Calls.ReleaseAsync(id, answer.Fence, answer.Attempt).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        if (!isGivenBack)
        {
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Misconfigured, $"The store '{gate.Store.Traits.Name}' does not keep what is written to it: a new record was not there.");
        }

        return await gate.Calls.CheckAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
    }
}
