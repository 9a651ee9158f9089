using System.Data.Common;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>A store that does what another one does: a flaw overrides what it is wrong in.</summary>
internal class ForwardingRecords(EntityFrameworkIdempotencyStore inner) : ITransactionalIdempotencyStore
{
    public IdempotencyStoreTraits Traits => inner.Traits;

    private protected EntityFrameworkIdempotencyStore Inner => inner;

    public virtual ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) =>
        inner.TryAcquireAsync(request, cancellationToken);

    public virtual ValueTask<AcquireResult> TryAcquireAsync(DbTransaction transaction, AcquireRequest request, CancellationToken cancellationToken = default) =>
        inner.TryAcquireAsync(transaction, request, cancellationToken);

    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) =>
        inner.RenewAsync(id, fence, lease, cancellationToken);

    public ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default) =>
        inner.CompleteAsync(id, fence, completion, payload, retention, cancellationToken);

    public virtual ValueTask<bool> CompleteAsync(
        DbTransaction transaction,
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default) => inner.CompleteAsync(transaction, id, fence, completion, payload, retention, cancellationToken);

    public virtual ValueTask EnterAsync(DbTransaction transaction, IdempotencyId id, CancellationToken cancellationToken = default) =>
        inner.EnterAsync(transaction, id, cancellationToken);

    public virtual ValueTask<CommitResolution> ResolveAsync(IdempotencyId id, Guid nonce, TimeSpan wait, CancellationToken cancellationToken = default) =>
        inner.ResolveAsync(id, nonce, wait, cancellationToken);

    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
        inner.ReleaseAsync(id, fence, cancellationToken);

    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => inner.PeekAsync(id, cancellationToken);

    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) => inner.PurgeAsync(max, cancellationToken);
}
