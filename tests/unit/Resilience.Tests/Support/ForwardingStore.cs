using Resilience.Idempotency;

namespace Resilience.Tests;

/// <summary>A store that asks another one, and does not belong to it: for tests that change a part, or outlive a container.</summary>
/// <param name="inner">The other one.</param>
internal class ForwardingStore(IIdempotencyStore inner) : IIdempotencyStore
{
    /// <summary>Which is asked. A store that is away throws here.</summary>
    protected virtual IIdempotencyStore Inner => inner;

    public virtual IdempotencyStoreTraits Traits => inner.Traits;

    public virtual ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) =>
        Inner.TryAcquireAsync(request, cancellationToken);

    public virtual ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) =>
        Inner.RenewAsync(id, fence, lease, cancellationToken);

    public ValueTask<bool> CompleteAsync(
        IdempotencyId id, long fence, IdempotencyCompletion outcome, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default) =>
        Inner.CompleteAsync(id, fence, outcome, payload, retention, cancellationToken);

    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
        Inner.ReleaseAsync(id, fence, cancellationToken);

    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => Inner.PeekAsync(id, cancellationToken);

    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) => Inner.PurgeAsync(max, cancellationToken);
}
