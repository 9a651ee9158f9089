using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Resilience.Idempotency;

/// <content>What is asked with transactions of any provider, and what became of one in doubt.</content>
public sealed partial class SqliteIdempotencyStore
{
    /// <inheritdoc/>
    ValueTask<AcquireResult> ITransactionalIdempotencyStore.TryAcquireAsync(
        DbTransaction transaction, AcquireRequest request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new(TryAcquire(Own(transaction), request));
    }

    /// <inheritdoc/>
    ValueTask<bool> ITransactionalIdempotencyStore.CompleteAsync(
        DbTransaction transaction,
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new(Complete(Own(transaction), id, fence, completion, payload, retention));
    }

    /// <inheritdoc/>
    public async ValueTask<CommitResolution> ResolveAsync(IdempotencyId id, Guid nonce, TimeSpan wait, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(wait);
        try
        {
            // A connection that gets the file to itself has waited for the transaction in doubt.
            return await RunAsync(db => _records.WasCommitted(db, id, nonce), cancellationToken)
                .AsTask().WaitAsync(wait, cancellationToken).ConfigureAwait(false)
                ? CommitResolution.Committed
                : CommitResolution.RolledBack;
        }
        catch (Exception away) when (away is TimeoutException or IdempotencyStoreException { IsTransient: true })
        {
            return CommitResolution.Unknown;
        }
    }

    private static SqliteTransaction Own(DbTransaction transaction)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        return transaction as SqliteTransaction ?? throw new ArgumentException($"A {transaction.GetType()} is no transaction of SQLite.", nameof(transaction));
    }
}
