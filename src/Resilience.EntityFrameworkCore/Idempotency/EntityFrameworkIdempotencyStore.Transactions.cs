using System.Data;
using System.Data.Common;

namespace Resilience.Idempotency;

/// <content>What is asked within transactions of the caller, what became of one in doubt, and decisions.</content>
public sealed partial class EntityFrameworkIdempotencyStore
{
    /// <inheritdoc/>
    public async ValueTask<AcquireResult> TryAcquireAsync(DbTransaction transaction, AcquireRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request);
        AcquireResult answer = AcquireResult.InFlight(0, TimeSpan.Zero);
        RecordSession session = await SessionOfAsync(transaction, cancellationToken).ConfigureAwait(false);
        for (int round = 1; round <= MaxRounds; round++)
        {
            (answer, bool isFinal) = await InTransactionAsync(() => AcquireOnceAsync(session, request, cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            if (isFinal) break;
        }

        if (answer.Status == AcquireStatus.Acquired) Hold(request.Id, transaction);
        return answer;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> CompleteAsync(
        DbTransaction transaction,
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckCompletion(completion, payload, retention, _options.MaxPayloadBytes);
        RecordSession session = await SessionOfAsync(transaction, cancellationToken).ConfigureAwait(false);
        bool isKept = await InTransactionAsync(
            () => session.CompleteAsync(id, fence, StateOf(completion), payload.ToArray(), retention, cancellationToken), cancellationToken)
            .ConfigureAwait(false);
        if (isKept) Hold(id, transaction);
        return isKept;
    }

    /// <inheritdoc/>
    public async ValueTask<CommitResolution> ResolveAsync(IdempotencyId id, Guid nonce, TimeSpan wait, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(wait);
        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        over.CancelAfter(wait);
        try
        {
            bool isThere = await AskAsync(
                async (session, context, token) =>
                {
                    // In a transaction, so that the lock is held until we have looked.
                    using WriterTurn? turn = session.Sql.Dialect.HasOneWriter
                        ? await WriterTurn.TakeAsync(session.Connection, token).ConfigureAwait(false)
                        : null;
                    DbTransaction transaction = await session.Connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, token).ConfigureAwait(false);
                    await using (transaction.ConfigureAwait(false))
                    {
                        RecordSession inside = new(session.Sql, session.Connection, transaction);
                        SeenRecord seen = await inside.LookWhenFreeAsync(id, token).ConfigureAwait(false);
                        return seen.Record.State is IdempotencyRecordState.Completed or IdempotencyRecordState.OutcomeUnknown && seen.Record.Nonce == nonce;
                    }
                },
                over.Token).ConfigureAwait(false);
            return isThere ? CommitResolution.Committed : CommitResolution.RolledBack;
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

    /// <inheritdoc/>
    /// <remarks>While a transaction is at the record, the answer is <see cref="ResolveStatus.InFlight"/>: it may commit an outcome.</remarks>
    public ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request, Traits.MaxPayloadBytes);
        if (IsHeld(request.Id)) return new(new ResolveResult(ResolveStatus.InFlight, 0));
        byte[] copy = request.Payload.ToArray();
        return RepeatAsync((session, token) => ResolveOnceAsync(session, request, copy, token), cancellationToken);
    }

    private static async Task<(ResolveResult Answer, bool IsFinal)> ResolveOnceAsync(
        RecordSession session, ResolveRequest request, byte[] payload, CancellationToken cancellationToken)
    {
        SeenRecord seen = await session.GlanceAsync(request.Id, cancellationToken).ConfigureAwait(false);
        ResolveStatus status = IdempotencyRules.Resolve(seen.Record, request, seen.Now, out IdempotencyRecord next, out bool changed);
        if (!changed) return (IdempotencyRules.ResultOf(status, next), true);
        byte[]? kept = request.Completion == IdempotencyCompletion.None ? null : payload;
        return await session.ReplaceAsync(request.Id, seen, next, kept, ifFree: true, cancellationToken).ConfigureAwait(false)
            ? (IdempotencyRules.ResultOf(status, next), true)
            : (new(ResolveStatus.InFlight, seen.Record.Fence), false);
    }

    /// <inheritdoc/>
    /// <remarks>Where a transaction has the database to itself, or its level makes it fail on rows that were changed since it began, it holds the record from
    /// here on: the lease is not renewed, because no other caller can take over.</remarks>
    public async ValueTask EnterAsync(DbTransaction transaction, IdempotencyId id, CancellationToken cancellationToken = default)
    {
        RecordSession session = await SessionOfAsync(transaction, cancellationToken).ConfigureAwait(false);
        RecordDialect dialect = session.Sql.Dialect;
        bool holdsRow = dialect.HasSnapshots
            && transaction.IsolationLevel is IsolationLevel.RepeatableRead or IsolationLevel.Snapshot or IsolationLevel.Serializable;
        if (holdsRow)
        {
            await InTransactionAsync(
                async () =>
                {
                    await session.HoldAsync(id, cancellationToken).ConfigureAwait(false);
                    return true;
                },
                cancellationToken).ConfigureAwait(false);
        }

        if (holdsRow || dialect.HasOneWriter) Hold(id, transaction);
    }

    /// <summary>True while a transaction of this process has the id, by its row or by the whole file.</summary>
    private bool IsHeld(IdempotencyId id)
    {
        if (_held.IsEmpty || !_held.TryGetValue(id, out DbTransaction? transaction)) return false;
        if (DriverTransactions.IsOpen(transaction)) return true;
        _held.TryRemove(new(id, transaction));
        return false;
    }

    private void Hold(IdempotencyId id, DbTransaction transaction)
    {
        // Those that have ended are forgotten here: there is no event that would tell.
        foreach (KeyValuePair<IdempotencyId, DbTransaction> one in _held)
            if (!DriverTransactions.IsOpen(one.Value)) _held.TryRemove(one);
        _held[id] = transaction;
    }

    private async ValueTask<RecordSession> SessionOfAsync(DbTransaction transaction, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        cancellationToken.ThrowIfCancellationRequested();
        DbConnection connection = transaction.Connection ?? throw new InvalidOperationException("The transaction has ended.");
        if (Volatile.Read(ref _sql) is not { } sql)
        {
            ContextLease lease = _contexts.Lease();
            await using (lease.ConfigureAwait(false)) sql = StatementsOf(lease.Context);
        }

        if (!sql.IsOfProvider(connection))
            throw new ArgumentException($"A {transaction.GetType()} is no transaction of the database in which the records are kept.", nameof(transaction));
        return new(sql, connection, transaction);
    }

    /// <summary>What fails in the caller's transaction is not repeated: it may be broken off.</summary>
    private async Task<T> InTransactionAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return await ask().ConfigureAwait(false);
        }
        catch (Exception error) when (RecordErrors.Translate(error, TableName, cancellationToken) is { } ours)
        {
            throw ours;
        }
    }
}
