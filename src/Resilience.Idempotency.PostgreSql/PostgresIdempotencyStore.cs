using System.Data;
using Npgsql;

namespace Resilience.Idempotency;

/// <summary>Idempotency records in one table of PostgreSQL (12 or newer). Thread-safe.</summary>
/// <remarks>
/// <para>Every operation is one round trip on a connection from the data source, which stays the caller's; a claim that takes over what is there is two.
/// Nothing is kept in a session, so a pooler that lends connections for a transaction is no obstacle. The clock is the server's.
/// Ask the primary, never a standby.</para>
/// <para>Two operations also take a transaction of the caller: the operation and the record of it are then committed together, or neither is.
/// While such a transaction is open, others who ask for its id are told that it is in flight, at once; an advisory lock of the transaction tells
/// them. An exception leaves the transaction unusable, as any error of PostgreSQL does.</para>
/// </remarks>
public sealed partial class PostgresIdempotencyStore : ITransactionalIdempotencyStore, IResolvableIdempotencyStore, ICheckableIdempotencyStore,
    IAsyncDisposable
{
    private const int MaxRounds = 5;
    private const int MaxPurgedAtOnce = 1000;
    private const long CreationLock = 0x5265_7369_6C49_646D; // any number, the same for all processes

    private readonly NpgsqlDataSource _source;
    private readonly PostgresStatements _sql;
    private readonly PostgresRenewals _renewals;
    private bool _ownsSource;

    /// <summary>Creates the store. Nothing is asked of the server yet.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="source"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">An option is out of its range.</exception>
    public PostgresIdempotencyStore(NpgsqlDataSource source, PostgresIdempotencyOptions? options = null) : this(source, options, TimeProvider.System)
    {
    }

    /// <summary>With a clock that tells how long one statement is waited for before another is sent; records go by the server's.</summary>
    internal PostgresIdempotencyStore(NpgsqlDataSource source, PostgresIdempotencyOptions? options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(source);
        options ??= new();
        options.ThrowIfInvalid();
        _source = source;
        _sql = new(options.Schema, options.Table);
        _renewals = new(RenewOneAsync, RenewSeveralAsync, PostgresErrors.MayBeOfOneRow, time);
        Traits = new() { Name = "postgresql", IsShared = true, IsDurable = true, MaxPayloadBytes = options.MaxPayloadBytes };
    }

    /// <inheritdoc/>
    public IdempotencyStoreTraits Traits { get; }

    /// <summary>A store with a data source of its own: it is disposed of with the store.</summary>
    internal static PostgresIdempotencyStore Owning(NpgsqlDataSource source, PostgresIdempotencyOptions options) => new(source, options) { _ownsSource = true };

    /// <summary>Closes the connections that the store made for itself; a data source that it was given stays open.</summary>
    public ValueTask DisposeAsync() => _ownsSource ? _source.DisposeAsync() : default;

    /// <summary>The statements that create the table, to be read and run by an operator. They can be run again.</summary>
    /// <exception cref="ResilienceOptionsException">An option is out of its range.</exception>
    public static string CreateScript(PostgresIdempotencyOptions? options = null)
    {
        options ??= new();
        options.ThrowIfInvalid();
        return string.Concat(new PostgresStatements(options.Schema, options.Table).Create.Select(s => s + ";\n"));
    }

    /// <summary>Creates the table unless it is there. Any number of processes may do it at once; if it is there, no right to create is needed.</summary>
    /// <exception cref="IdempotencyStoreException">The server could not be asked, the right to create is missing, or a newer version of this library made
    /// the table.</exception>
    public async Task EnsureCreatedAsync(CancellationToken cancellationToken = default)
    {
        for (int round = 1; ; round++)
        {
            try
            {
                if (await IsCreatedAsync(cancellationToken).ConfigureAwait(false)) return;
                await CreateAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (PostgresException e) when (PostgresErrors.IsDuplicate(e) && round < MaxRounds)
            {
                // The script was run by hand at this moment: look again.
            }
            catch (Exception e) when (PostgresErrors.Translate(e, _sql.Table, cancellationToken) is { } ours)
            {
                throw ours;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) =>
        ClaimAsync(null, request, cancellationToken);

    /// <summary>Claims the id inside a transaction of the caller: the claim counts when the transaction is committed, and never was if it is
    /// rolled back.</summary>
    /// <param name="transaction">An open transaction. At a higher level than read committed, a caller that waited for another may receive
    /// an exception that is transient, and begins his transaction anew.</param>
    /// <param name="request">What to claim.</param>
    /// <param name="cancellationToken">Ends the wait; the transaction is unusable afterwards.</param>
    /// <exception cref="ArgumentException">The request makes no sense.</exception>
    /// <exception cref="InvalidOperationException">The transaction has ended.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    public ValueTask<AcquireResult> TryAcquireAsync(NpgsqlTransaction transaction, AcquireRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        return ClaimAsync(transaction, request, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default) => EndAsync(null, id, fence, completion, payload, retention, cancellationToken);

    /// <summary>Keeps how the operation ended inside a transaction of the caller: it is known to others when the transaction is committed.</summary>
    /// <param name="transaction">An open transaction.</param>
    /// <param name="id">The id.</param>
    /// <param name="fence">The fence of the claim.</param>
    /// <param name="completion">How it ended.</param>
    /// <param name="payload">What duplicates will receive.</param>
    /// <param name="retention">How long to keep it.</param>
    /// <param name="cancellationToken">Ends the wait; the transaction is unusable afterwards.</param>
    /// <returns>False when the claim is lost: roll back.</returns>
    /// <exception cref="ArgumentException">The payload is too large, or an argument makes no sense.</exception>
    /// <exception cref="InvalidOperationException">The transaction has ended.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    public ValueTask<bool> CompleteAsync(
        NpgsqlTransaction transaction,
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        return EndAsync(transaction, id, fence, completion, payload, retention, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default)
    {
        byte[] key = id.ToArray();
        return await AskAsync(
                null, batch => ChangeAsync(batch, _sql.Release, cancellationToken, Value(key), Value(fence)), cancellationToken).ConfigureAwait(false)
            || await AskAsync(null, batch => WasDoneAsync(batch, key, fence, PostgresRow.Released, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => AskAsync(
        null,
        async batch =>
        {
            Add(batch, _sql.Peek, Value(id.ToArray()));
            NpgsqlDataReader reader = await batch.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) return default;
                return PostgresRow.Peek(reader) ?? throw PostgresErrors.Corrupt(id, _sql.Table);
            }
        },
        cancellationToken);

    /// <inheritdoc/>
    /// <remarks>A thousand rows per statement; rows that others are working on are passed over.</remarks>
    public async ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default)
    {
        int removed = 0;
        while (removed < max)
        {
            int limit = Math.Min(max - removed, MaxPurgedAtOnce);
            int now = await AskAsync(
                null,
                async batch =>
                {
                    Add(batch, _sql.Purge, Value(limit));
                    return await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                },
                cancellationToken).ConfigureAwait(false);
            removed += now;
            if (now < limit) break;
        }

        return removed;
    }

    private async ValueTask<AcquireResult> ClaimAsync(NpgsqlTransaction? transaction, AcquireRequest request, CancellationToken cancellationToken)
    {
        IdempotencyStoreArguments.Check(request);
        for (int number = 0; ; number++)
        {
            bool begins = number == 0;
            (AcquireResult answer, bool isFinal) = await AskAsync(
                transaction,
                batch => begins ? BeginAsync(batch, request, cancellationToken) : ClaimOnceAsync(batch, request, cancellationToken),
                cancellationToken).ConfigureAwait(false);

            // Again: what is there can be taken over; or the row changed its mind between two statements, because a moment passed; or the claim
            // waited so long for others that much of its lease is gone, and the same nonce begins it anew.
            if (isFinal || number == MaxRounds) return answer;
        }
    }

    /// <summary>Most claims are of a new key or of one that is completed or held: one statement answers all of these.</summary>
    private async Task<(AcquireResult Result, bool IsFinal)> BeginAsync(NpgsqlBatch batch, AcquireRequest request, CancellationToken cancellationToken)
    {
        byte[] id = request.Id.ToArray();
        Add(batch, _sql.Begin, [.. AskedOf(request, id, request.Fingerprint.ToArray()), Value(LockOf(id))]);
        NpgsqlDataReader reader = await batch.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false)) return await ReadLookAsync(reader, request, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The claim of what may be there, and after it a look at what is there: one round trip.</summary>
    private async Task<(AcquireResult Result, bool IsFinal)> ClaimOnceAsync(NpgsqlBatch batch, AcquireRequest request, CancellationToken cancellationToken)
    {
        byte[] id = request.Id.ToArray(), fingerprint = request.Fingerprint.ToArray();
        Add(batch, _sql.Acquire, [.. AskedOf(request, id, fingerprint), Value(request.MaxAttempts), Value(LockOf(id))]);
        Add(batch, _sql.Explain, Value(id), Value(fingerprint), Value(request.Nonce));
        NpgsqlDataReader reader = await batch.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            if (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                return (AcquireResult.Acquired(reader.GetInt64(0), reader.GetInt32(1)), reader.GetInt64(2) > Micros(request.Lease) / 2);
            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            return await ReadLookAsync(reader, request, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<(AcquireResult Result, bool IsFinal)> ReadLookAsync(
        NpgsqlDataReader reader, AcquireRequest request, CancellationToken cancellationToken)
    {
        if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) return (AcquireResult.InFlight(0, TimeSpan.Zero), false);
        return PostgresRow.Explain(reader, request) ?? throw PostgresErrors.Corrupt(request.Id, _sql.Table);
    }

    private static NpgsqlParameter[] AskedOf(in AcquireRequest request, byte[] id, byte[] fingerprint)
    {
        TimeSpan retention = request.Retention > request.Lease ? request.Retention : request.Lease;
        return [Value(id), Value(fingerprint), Value(request.Nonce), Value(Micros(request.Lease)), Value(Micros(retention))];
    }

    private async ValueTask<bool> EndAsync(
        NpgsqlTransaction? transaction,
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken)
    {
        IdempotencyStoreArguments.CheckCompletion(completion, payload, retention, Traits.MaxPayloadBytes);
        byte[] key = id.ToArray();
        if (transaction is null && cancellationToken.CanBeCanceled) payload = payload.ToArray(); // it may be read after we have left
        short state = completion == IdempotencyCompletion.Completed ? PostgresRow.Completed : PostgresRow.Indeterminate;
        return await AskAsync(
                transaction,
                batch =>
                {
                    if (transaction is not null) Add(batch, _sql.TakeLock, Value(LockOf(key)));
                    return ChangeAsync(
                        batch, _sql.Complete, cancellationToken, Value(key), Value(fence), Value(state), Value(payload), Value(Micros(retention)));
                },
                cancellationToken).ConfigureAwait(false)
            || await AskAsync(transaction, batch => WasDoneAsync(batch, key, fence, state, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    private static async Task<bool> ChangeAsync(NpgsqlBatch batch, string sql, CancellationToken cancellationToken, params NpgsqlParameter[] values)
    {
        Add(batch, sql, values);
        return await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) > 0;
    }

    private async Task<bool> WasDoneAsync(NpgsqlBatch batch, byte[] id, long fence, short state, CancellationToken cancellationToken)
    {
        Add(batch, _sql.WasDone, Value(id), Value(fence), Value(state));
        return await batch.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not null;
    }

    /// <summary>Runs one batch, and says what its errors mean.</summary>
    private async ValueTask<T> AskAsync<T>(NpgsqlTransaction? transaction, Func<NpgsqlBatch, Task<T>> ask, CancellationToken cancellationToken)
    {
        for (int round = 1; ; round++)
        {
            try
            {
                Task<T> asking = round == 1 ? AskOnceAsync(transaction, ask) : AskReadCommittedAsync(ask, cancellationToken);

                // The driver tells the server that we are gone and waits for it to hear, which a silent one never does. Not so in a
                // transaction of the caller: it gets its connection back when nothing else uses it.
                return transaction is null ? await LeaveOnAsync(asking, cancellationToken).ConfigureAwait(false) : await asking.ConfigureAwait(false);
            }
            catch (PostgresException e) when (transaction is null && round < MaxRounds && PostgresErrors.IsConflict(e))
            {
                // To have lost against another transaction is no error here.
            }
            catch (Exception e) when (PostgresErrors.Translate(e, _sql.Table, cancellationToken) is { } ours)
            {
                throw ours;
            }
        }
    }

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

    private async Task<T> AskOnceAsync<T>(NpgsqlTransaction? transaction, Func<NpgsqlBatch, Task<T>> ask)
    {
        NpgsqlBatch batch = NewBatch(transaction);
        await using (batch.ConfigureAwait(false)) return await ask(batch).ConfigureAwait(false);
    }

    /// <summary>Where the server's default is a stricter level, losers of a race are thrown at: they ask again at the level that lets them
    /// see the winner. More round trips, but no exception for contention.</summary>
    private async Task<T> AskReadCommittedAsync<T>(Func<NpgsqlBatch, Task<T>> ask, CancellationToken cancellationToken)
    {
        NpgsqlConnection connection = await _source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            NpgsqlTransaction transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                T answer = await AskOnceAsync(transaction, ask).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                return answer;
            }
        }
    }

    private NpgsqlBatch NewBatch(NpgsqlTransaction? transaction)
    {
        if (transaction is null) return _source.CreateBatch();
        NpgsqlConnection connection = transaction.Connection ?? throw new InvalidOperationException("The transaction has ended.");
        return new(connection, transaction);
    }

    private async Task<bool> IsCreatedAsync(CancellationToken cancellationToken)
    {
        PostgresSetup? setup = await ReadSetupAsync(cancellationToken).ConfigureAwait(false);
        setup?.ThrowIfNewer(_sql.Table);
        return setup is { Format: PostgresStatements.NewestFormat };
    }

    /// <summary>One batch is one transaction, at the end of which the lock is free again.</summary>
    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        NpgsqlBatch batch = _source.CreateBatch();
        await using (batch.ConfigureAwait(false))
        {
            Add(batch, "SELECT pg_advisory_xact_lock($1)", Value(CreationLock));
            foreach (string statement in _sql.Create) Add(batch, statement);
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static void Add(NpgsqlBatch batch, string sql, params NpgsqlParameter[] values)
    {
        NpgsqlBatchCommand command = new(sql);
        foreach (NpgsqlParameter value in values) command.Parameters.Add(value);
        batch.BatchCommands.Add(command);
    }

    private static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };

    /// <summary>64 bits of the id. That two ids share them costs one of them a claim that is told to come back, no more.</summary>
    private static long LockOf(byte[] id) => System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(id);

    private static long Micros(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;
}
