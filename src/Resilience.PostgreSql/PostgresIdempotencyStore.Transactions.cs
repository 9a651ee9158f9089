using System.Data;
using System.Data.Common;
using Npgsql;
using static Resilience.Idempotency.PostgresBatches;

namespace Resilience.Idempotency;

/// <content>What is asked with transactions of any provider, and what became of one in doubt.</content>
public sealed partial class PostgresIdempotencyStore
{
    /// <inheritdoc/>
    ValueTask<AcquireResult> ITransactionalIdempotencyStore.TryAcquireAsync(
        DbTransaction transaction, AcquireRequest request, CancellationToken cancellationToken) =>
        TryAcquireAsync(Own(transaction), request, cancellationToken);

    /// <inheritdoc/>
    ValueTask<bool> ITransactionalIdempotencyStore.CompleteAsync(
        DbTransaction transaction,
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken) => CompleteAsync(Own(transaction), id, fence, completion, payload, retention, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<CommitResolution> ResolveAsync(IdempotencyId id, Guid nonce, TimeSpan wait, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(wait);
        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        over.CancelAfter(wait);
        try
        {
            return await _batches.AskAsync(
                null,
                async batch =>
                {
                    byte[] key = id.ToArray();
                    Add(batch, _sql.WaitForLock, Value(LockOf(key)));
                    Add(batch, _sql.WasCommitted, Value(key), Value(nonce));
                    NpgsqlDataReader reader = await batch.ExecuteReaderAsync(CommandBehavior.Default, over.Token).ConfigureAwait(false);
                    await using (reader.ConfigureAwait(false))
                    {
                        await reader.NextResultAsync(over.Token).ConfigureAwait(false);
                        bool isThere = await reader.ReadAsync(over.Token).ConfigureAwait(false);
                        return isThere && !reader.IsDBNull(0) && reader.GetBoolean(0) ? CommitResolution.Committed : CommitResolution.RolledBack;
                    }
                },
                over.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return CommitResolution.Unknown;
        }
        catch (IdempotencyStoreException away) when (away.IsTransient)
        {
            return CommitResolution.Unknown;
        }
    }

    private static NpgsqlTransaction Own(DbTransaction transaction)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        return transaction as NpgsqlTransaction
            ?? throw new ArgumentException($"A {transaction.GetType()} is no transaction of PostgreSQL.", nameof(transaction));
    }
}
