using System.Collections.Concurrent;
using System.Data;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Idempotency records in the database of an application, in a table of its own model and migrations (<c>model.AddIdempotency()</c>). Thread-safe.
/// </summary>
/// <remarks>
/// <para>Each operation has a context and a connection of its own, and runs outside of execution strategies: the gate asks again by itself. Times are the
/// server's. Two operations also take a transaction of the caller, so that records are committed together with rows.</para>
/// <para>PostgreSQL: a claim, a replay and an outcome are one round trip each; a claim that takes over what is there, a renewal and a decision are two. While
/// a transaction of a caller is at an id, others are told that it is in flight, by an advisory lock of the transaction. SQLite: one transaction writes at a
/// time, so while one is open claims of other keys wait for the file. Any other provider: <see cref="EntityFrameworkIdempotencyOptions.ServerClock"/>.</para>
/// </remarks>
public sealed partial class EntityFrameworkIdempotencyStore : ITransactionalIdempotencyStore, IResolvableIdempotencyStore
{
    private const int MaxRounds = 5, MaxPurgedAtOnce = 1000;

    private readonly ConcurrentDictionary<IdempotencyId, DbTransaction> _held = new();
    private readonly ContextSource _contexts;
    private readonly EntityFrameworkIdempotencyOptions _options;
    private RecordStatements? _sql;

    /// <summary>Creates the store. Nothing is asked of the database yet.</summary>
    /// <param name="newContext">Makes a context for one operation, which is disposed of afterwards. Runs on many threads at once. All have the same model,
    /// with the records in it, and a connection of their own.</param>
    /// <param name="options">Default: as they come.</param>
    /// <exception cref="ArgumentNullException"><paramref name="newContext"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">An option is out of its range.</exception>
    public EntityFrameworkIdempotencyStore(Func<DbContext> newContext, EntityFrameworkIdempotencyOptions? options = null)
        : this(new ContextSource.OfDelegate(newContext ?? throw new ArgumentNullException(nameof(newContext))), options)
    {
    }

    internal EntityFrameworkIdempotencyStore(ContextSource contexts, EntityFrameworkIdempotencyOptions? options)
    {
        _contexts = contexts;
        _options = options?.Copy() ?? new();
        _options.ThrowIfInvalid();
        Traits = new() { Name = "entity-framework", IsShared = true, IsDurable = true, MaxPayloadBytes = _options.MaxPayloadBytes };
    }

    /// <inheritdoc/>
    public IdempotencyStoreTraits Traits { get; }

    /// <inheritdoc/>
    public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request);
        return IsHeld(request.Id) ? new(AcquireResult.InFlight(0, TimeSpan.Zero)) : AcquireAsync(request, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(lease);

        // While the transaction of the operation holds the row, or the whole file, no other caller takes over, and a renewal would only wait for it.
        return IsHeld(id) ? new(true) : RenewRowAsync(id, fence, lease, cancellationToken);
    }

    private async ValueTask<bool> RenewRowAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken) =>
        await RepeatAsync((session, token) => RenewOnceAsync(session, id, fence, lease, token), cancellationToken).ConfigureAwait(false)
        ?? throw new IdempotencyStoreException(IdempotencyStoreFault.Unavailable, $"The row {id} in {TableName} was changed each time that it was looked at.");

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckCompletion(completion, payload, retention, _options.MaxPayloadBytes);
        byte[] copy = payload.ToArray(); // it may be read after we have left
        return AskAsync((session, token) => session.CompleteAsync(id, fence, StateOf(completion), copy, retention, token), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
        AskAsync((session, token) => session.ReleaseAsync(id, fence, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => AskAsync(
        async (session, token) =>
        {
            SeenRecord seen = await session.GlanceAsync(id, token).ConfigureAwait(false);
            return seen.IsThere ? IdempotencyRules.Peek(seen.Record, seen.Now) : default;
        },
        cancellationToken);

    /// <inheritdoc/>
    /// <remarks>A thousand rows per statement.</remarks>
    public async ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int removed = 0;
        while (removed < max)
        {
            int most = Math.Min(max - removed, MaxPurgedAtOnce);
            int now = await AskAsync((session, context, token) => PurgeOnceAsync(session, context, most, token), cancellationToken).ConfigureAwait(false);
            removed += now;
            if (now < most) break;
        }

        return removed;
    }

    private ValueTask<AcquireResult> AcquireAsync(AcquireRequest request, CancellationToken cancellationToken) =>
        RepeatAsync((session, token) => AcquireOnceAsync(session, request, token), cancellationToken);

    /// <summary>What became of a claim. Not final: another caller came between.</summary>
    private static async Task<(AcquireResult Answer, bool IsFinal)> AcquireOnceAsync(
        RecordSession session, AcquireRequest request, CancellationToken cancellationToken)
    {
        SeenRecord seen = await session.BeginAndLookAsync(request, cancellationToken).ConfigureAwait(false);
        if (!seen.IsThere) return (AcquireResult.InFlight(0, TimeSpan.Zero), false);
        IdempotencyRecord record = seen.Record;
        if (seen.IsNew && record.Nonce == request.Nonce) return (AcquireResult.Acquired(record.Fence, record.Attempt), true);
        AcquireStatus status = IdempotencyRules.Acquire(record, request, seen.Now, out IdempotencyRecord next);
        AcquireResult answer = IdempotencyRules.ResultOf(status, record, next, seen.Payload, seen.Now);
        if (status != AcquireStatus.Acquired) return (answer, true);
        bool isOurs = await session.ReplaceAsync(request.Id, seen, next, null, ifFree: true, cancellationToken).ConfigureAwait(false);
        return isOurs ? (answer, true) : (AcquireResult.InFlight(record.Fence, TimeSpan.Zero), false);
    }

    private static async Task<(bool? Answer, bool IsFinal)> RenewOnceAsync(
        RecordSession session, IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken)
    {
        SeenRecord seen = await session.GlanceAsync(id, cancellationToken).ConfigureAwait(false);
        if (!seen.IsThere || !IdempotencyRules.Renew(seen.Record, fence, lease, seen.Now, out IdempotencyRecord next)) return (false, true);
        bool isDone = await session.ReplaceAsync(id, seen, next, null, ifFree: false, cancellationToken).ConfigureAwait(false);
        return isDone ? (true, true) : (null, false);
    }

    private static async Task<int> PurgeOnceAsync(RecordSession session, DbContext context, int most, CancellationToken cancellationToken)
    {
        if (session.Sql.Dialect.Purge(session.Sql.Names, most) is { } purge) return await session.PurgeAsync(purge, cancellationToken).ConfigureAwait(false);
        long now = await session.ReadClockAsync(cancellationToken).ConfigureAwait(false);
        int today = (int)(now / 86_400_000_000);
        return await context.Set<Dictionary<string, object>>(RecordModel.Name)
            .Where(r => EF.Property<int>(r, RecordModel.ExpiresDay) <= today && EF.Property<long>(r, RecordModel.ExpiresAt) <= now)
            .OrderBy(static r => EF.Property<int>(r, RecordModel.ExpiresDay)).Take(most)
            .ExecuteDeleteAsync(cancellationToken).ConfigureAwait(false);
    }

    private static IdempotencyRecordState StateOf(IdempotencyCompletion completion) =>
        completion == IdempotencyCompletion.Completed ? IdempotencyRecordState.Completed : IdempotencyRecordState.OutcomeUnknown;

    /// <summary>Asks again, each time anew, while others come between.</summary>
    private async ValueTask<T> RepeatAsync<T>(
        Func<RecordSession, CancellationToken, Task<(T Answer, bool IsFinal)>> ask, CancellationToken cancellationToken)
    {
        for (int round = 1; ; round++)
        {
            (T answer, bool isFinal) = await AskAsync(ask, cancellationToken).ConfigureAwait(false);
            if (isFinal || round == MaxRounds) return answer;
        }
    }

    private ValueTask<T> AskAsync<T>(Func<RecordSession, CancellationToken, Task<T>> ask, CancellationToken cancellationToken) =>
        AskAsync((session, _, token) => ask(session, token), cancellationToken);

    /// <summary>Asks on a connection of its own, and says what its errors mean.</summary>
    private async ValueTask<T> AskAsync<T>(Func<RecordSession, DbContext, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        for (int round = 1; ; round++)
        {
            // Where the database's default is a stricter level, losers of a race are thrown at: they ask again at the level that lets them see the winner.
            IsolationLevel? level = round == 1 ? null : IsolationLevel.ReadCommitted;
            try
            {
                Task<T> asking = Volatile.Read(ref _sql) is { Dialect.IsSynchronous: false }
                    ? AskOnceAsync(level, ask, cancellationToken)
                    : Task.Run(() => AskOnceAsync(level, ask, cancellationToken), CancellationToken.None); // the first one makes the model
                return await LeaveOnAsync(asking, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error) when (round < MaxRounds && Volatile.Read(ref _sql) is { Dialect.HasOneWriter: false } && RecordErrors.IsConflict(error))
            {
                // To have lost against another transaction is no error here.
            }
            catch (Exception error) when (RecordErrors.Translate(error, TableName, cancellationToken) is { } ours)
            {
                throw ours;
            }
        }
    }

    private async Task<T> AskOnceAsync<T>(
        IsolationLevel? level, Func<RecordSession, DbContext, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        ContextLease lease = _contexts.Lease();
        await using (lease.ConfigureAwait(false))
        {
            RecordStatements sql = StatementsOf(lease.Context);
            IRelationalConnection connection = lease.Context.GetService<IRelationalConnection>();
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false); // not by the context's execution strategy
            try
            {
                if (level is not { } chosen) return await ask(new(sql, connection.DbConnection, null), lease.Context, cancellationToken).ConfigureAwait(false);
                DbTransaction transaction = await connection.DbConnection.BeginTransactionAsync(chosen, cancellationToken).ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    T answer = await ask(new(sql, connection.DbConnection, transaction), lease.Context, cancellationToken).ConfigureAwait(false);
                    await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                    return answer;
                }
            }
            finally
            {
                await connection.CloseAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>A driver tells the server that we are gone and waits for it to hear, which a silent one never does: who leaves does not wait.</summary>
    private static Task<T> LeaveOnAsync<T>(Task<T> asking, CancellationToken cancellationToken)
    {
        if (asking.IsCompleted || !cancellationToken.CanBeCanceled) return asking;
        _ = asking.ContinueWith(
            static t => _ = t.Exception, // seen, even if no caller is left
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return asking.WaitAsync(cancellationToken);
    }

    private string TableName => Volatile.Read(ref _sql)?.Names.Table ?? "the table of idempotency records";

    /// <summary>Made of the first context; two that come at once make the same.</summary>
    private RecordStatements StatementsOf(DbContext context)
    {
        if (Volatile.Read(ref _sql) is { } known) return known;
        RecordStatements made = new(context, _options);
        Volatile.Write(ref _sql, made); // pairs with the reads: what they see is whole
        return made;
    }
}
