using System.Data;
using Npgsql;
using static Resilience.Idempotency.PostgresBatches;

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
    private const int MaxPurgedAtOnce = 1000;

    private readonly NpgsqlDataSource _source;
    private readonly PostgresStatements _sql;
    private readonly PostgresBatches _batches;
    private readonly PostgresTable _table;
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
        _batches = new(source, _sql.Table);
        _table = new(source, _sql);
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
    public Task EnsureCreatedAsync(CancellationToken cancellationToken = default) => _table.EnsureCreatedAsync(cancellationToken);

    /// <inheritdoc/>
    /// <remarks>Finds an unlogged table, <c>synchronous_commit</c>, <c>fsync</c> and <c>full_page_writes</c> that are off, a <c>synchronous_commit</c> that
    /// does not wait for the standby in <c>synchronous_standby_names</c>, a standby, a missing table, and a
    /// table of another format.</remarks>
    public Task<IReadOnlyList<string>> CheckAsync(CancellationToken cancellationToken = default) => _table.CheckAsync(cancellationToken);

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
        return await _batches.AskAsync(
                null, batch => ChangeAsync(batch, _sql.Release, cancellationToken, Value(key), Value(fence)), cancellationToken).ConfigureAwait(false)
            || await _batches.AskAsync(
                null, batch => WasDoneAsync(batch, key, fence, PostgresRow.Released, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => _batches.AskAsync(
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
            int now = await _batches.AskAsync(
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
            (AcquireResult answer, bool isFinal) = await _batches.AskAsync(
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
        short state = completion == IdempotencyCompletion.Completed ? PostgresRow.Completed : PostgresRow.OutcomeUnknown;
        return await _batches.AskAsync(
                transaction,
                batch =>
                {
                    if (transaction is not null) Add(batch, _sql.TakeLock, Value(LockOf(key)));
                    return ChangeAsync(
                        batch, _sql.Complete, cancellationToken, Value(key), Value(fence), Value(state), Value(payload), Value(Micros(retention)));
                },
                cancellationToken).ConfigureAwait(false)
            || await _batches.AskAsync(
                transaction, batch => WasDoneAsync(batch, key, fence, state, cancellationToken), cancellationToken).ConfigureAwait(false);
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
}
