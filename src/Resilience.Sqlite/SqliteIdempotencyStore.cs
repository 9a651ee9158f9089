using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Keeps records in an SQLite file: durable, and shared by any number of processes of one machine.</summary>
/// <remarks>
/// <para>What it guarantees: a change is on the disk when it is acknowledged (write-ahead log, <c>synchronous=FULL</c>), so the end of the
/// process or of the machine forgets nothing. Where that ends: a disk that lies about having written, a file that is copied or
/// restored from a backup, and a network file system. The clock is the machine's; if it is set back, leases last that much longer.</para>
/// <para>SQLite writes one at a time. Operations that arrive while others are being written are written together with the next commit, so the
/// disk is told once for all of them. They run on a thread of the pool, as SQLite knows no other way to wait. Thread-safe.</para>
/// </remarks>
public sealed partial class SqliteIdempotencyStore : ITransactionalIdempotencyStore, IResolvableIdempotencyStore, IAsyncDisposable
{
    private const int MaxTogether = 1000;

    private static readonly List<SqliteConnection> LeftBehind = [];

    private readonly ConcurrentQueue<SqliteOperation> _queue = new();
    private readonly ConcurrentDictionary<IdempotencyId, SqliteTransaction> _inTransactions = new();
    private readonly SqliteIdempotencyOptions _options;
    private readonly SqliteRecords _records;
    private readonly Lock _connecting = new(); // held while the connection is in use, so that disposing waits
    private readonly string _database; // its name in messages
    private string? _path; // of the file that is open, as SQLite has it; null for a database in memory
    private FileIdentity? _file; // the one that is open
    private SqliteConnection? _connection;
    private int _isDraining;
    private bool _isDisposed;

    /// <summary>Creates the store; the file is opened when it is first used.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="timeProvider">The wall clock, which all processes of the machine share. Default: the system's.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public SqliteIdempotencyStore(SqliteIdempotencyOptions options, TimeProvider? timeProvider = null)
    {
        options = _options = options.Copy();
        options.ThrowIfInvalid();
        _records = new(options, timeProvider ?? TimeProvider.System);
        SqliteConnectionStringBuilder where = new(options.ConnectionString);
        _database = where.DataSource;
        bool isFile = where.Mode != SqliteOpenMode.Memory && !IsInMemory(where.DataSource);
        Traits = new() { Name = "sqlite", IsShared = isFile, IsDurable = isFile, MaxPayloadBytes = options.MaxPayloadBytes };
    }

    /// <summary>Creates the store with the default options.</summary>
    /// <exception cref="ResilienceOptionsException">The connection string is not one.</exception>
    public SqliteIdempotencyStore(string connectionString)
        : this(new SqliteIdempotencyOptions { ConnectionString = connectionString })
    {
    }

    /// <inheritdoc/>
    public IdempotencyStoreTraits Traits { get; }

    /// <summary>The statements that create the table, for people who do that themselves.</summary>
    public string Schema => _records.Schema;

    /// <inheritdoc/>
    public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<AcquireResult>(cancellationToken);
        return IsInTransaction(request.Id) ? new(AcquireResult.InFlight(0, TimeSpan.Zero)) : AcquireAsync(request, cancellationToken);
    }

    private async ValueTask<AcquireResult> AcquireAsync(AcquireRequest request, CancellationToken cancellationToken)
    {
        SqliteOperation<AcquireResult> writing = Enqueue(db => _records.Acquire(db, request), cancellationToken);
        try
        {
            return await writing.Task.WaitAsync(_options.BusyTimeout / 2, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception slow) when (slow is TimeoutException || (slow is IdempotencyStoreException busy && SqliteErrors.IsBusy(busy)))
        {
            // Another transaction has the file. Who reads need not wait for it: if this claim is rejected anyway, that is the answer.
            AcquireResult? rejected = await Task.Run(() => LookWithoutWaiting(request), CancellationToken.None).ConfigureAwait(false);
            return rejected is { } answer && writing.TryWithdraw() ? answer : await writing.Task.ConfigureAwait(false);
        }
    }

    private AcquireResult? LookWithoutWaiting(in AcquireRequest request)
    {
        try
        {
            using SqliteConnection connection = new(new SqliteConnectionStringBuilder(_options.ConnectionString) { Pooling = false }.ConnectionString);
            connection.Open();
            using SqliteTransaction transaction = connection.BeginTransaction(deferred: true);
            using SqliteSession session = new(connection, transaction);
            return _records.Look(session, request);
        }
        catch (SqliteException)
        {
            return null; // a file in which the table is being made, say: what the writer hears is the answer
        }
    }

    /// <summary>True while a transaction of this process has claimed or completed the id.</summary>
    private bool IsInTransaction(IdempotencyId id)
    {
        if (_inTransactions.IsEmpty || !_inTransactions.TryGetValue(id, out SqliteTransaction? transaction)) return false;
        if (transaction.Connection is not null) return true;
        _inTransactions.TryRemove(new(id, transaction));
        return false;
    }

    private void Remember(IdempotencyId id, SqliteTransaction transaction)
    {
        // Those that have ended are forgotten here: there is no event that would tell.
        foreach (KeyValuePair<IdempotencyId, SqliteTransaction> one in _inTransactions)
            if (one.Value.Connection is null) _inTransactions.TryRemove(one);
        _inTransactions[id] = transaction;
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(lease);
        return RunAsync(db => _records.Renew(db, id, fence, lease), cancellationToken);
    }

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
        byte[] copy = payload.ToArray();
        return RunAsync(db => _records.Complete(db, id, fence, completion, copy, retention), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
        RunAsync(db => _records.Release(db, id, fence), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request, _options.MaxPayloadBytes);
        byte[] copy = request.Payload.ToArray();
        return IsInTransaction(request.Id)
            ? new(new ResolveResult(ResolveStatus.InFlight, 0)) : RunAsync(db => _records.Resolve(db, request, copy), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) =>
        RunAsync(db => _records.Peek(db, id), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        return RunAsync(db => _records.Purge(db, max), cancellationToken);
    }

    /// <summary>Claims within a transaction of yours in the same file: the operation and its record are committed together, or neither is. The
    /// one form in which the effect happens exactly once without help from the other side.</summary>
    /// <param name="transaction">Begun with <c>BeginTransaction(deferred: false)</c>; it has the file to itself until it ends.</param>
    /// <param name="request">The claim. Its lease matters only if you commit before you have completed.</param>
    /// <exception cref="IdempotencyStoreException">The file could not be written, or holds something that is no record.</exception>
    /// <exception cref="ArgumentException">The claim makes no sense, or the transaction has ended.</exception>
    public AcquireResult TryAcquire(SqliteTransaction transaction, AcquireRequest request)
    {
        IdempotencyStoreArguments.Check(request);
        AcquireResult answer = InTransaction(transaction, db => _records.Acquire(db, request));
        if (answer.Status == AcquireStatus.Acquired) Remember(request.Id, transaction);
        return answer;
    }

    /// <summary>Completes within a transaction of yours; see <see cref="TryAcquire"/>.</summary>
    /// <returns>False when the claim is lost: roll back.</returns>
    /// <exception cref="IdempotencyStoreException">The file could not be written, or holds something that is no record.</exception>
    /// <exception cref="ArgumentException">The outcome makes no sense, or the transaction has ended.</exception>
    public bool Complete(SqliteTransaction transaction, IdempotencyId id, long fence, IdempotencyCompletion completion, ReadOnlyMemory<byte> payload,
        TimeSpan retention)
    {
        IdempotencyStoreArguments.CheckCompletion(completion, payload, retention, _options.MaxPayloadBytes);
        bool isKept = InTransaction(transaction, db => _records.Complete(db, id, fence, completion, payload.ToArray(), retention));
        if (isKept) Remember(id, transaction);
        return isKept;
    }

    /// <summary>Closes the file, after what is being written.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_connecting)
        {
            _isDisposed = true;
            _connection?.Dispose();
            _connection = null;
        }

        return default;
    }

    private static TResult InTransaction<TResult>(SqliteTransaction transaction, Func<SqliteSession, TResult> act)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        if (transaction.Connection is not { } connection) throw new ArgumentException("The transaction has ended.", nameof(transaction));
        try
        {
            using SqliteSession session = new(connection, transaction);
            return act(session);
        }
        catch (SqliteException failed)
        {
            throw SqliteErrors.Translate(failed, connection.DataSource);
        }
    }

    private ValueTask<TResult> RunAsync<TResult>(Func<SqliteSession, TResult> act, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<TResult>(cancellationToken);
        return new(Enqueue(act, cancellationToken).Task);
    }

    private SqliteOperation<TResult> Enqueue<TResult>(Func<SqliteSession, TResult> act, CancellationToken cancellationToken)
    {
        SqliteOperation<TResult> operation = new(act, cancellationToken);
        _queue.Enqueue(operation);

        // Pairs with the exchange in Drain: either we start it, or the one who runs sees what we have put in.
        if (Interlocked.Exchange(ref _isDraining, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(static store => store.Drain(), this, preferLocal: false);
        return operation;
    }

    private void Drain()
    {
        List<SqliteOperation> batch = [];
        do
        {
            while (Take(batch)) WriteTogether(batch);
            Interlocked.Exchange(ref _isDraining, 0);
        }
        while (!_queue.IsEmpty && Interlocked.Exchange(ref _isDraining, 1) == 0);
    }

    private bool Take(List<SqliteOperation> batch)
    {
        batch.Clear();
        while (batch.Count < MaxTogether && _queue.TryDequeue(out SqliteOperation? operation))
        {
            if (!operation.IsWithdrawn()) batch.Add(operation);
        }

        return batch.Count > 0;
    }

    /// <summary>All of them in one transaction. They are told what came of it after the commit, or that nothing did.</summary>
    private void WriteTogether(List<SqliteOperation> batch)
    {
        Exception? failure = null;
        lock (_connecting)
        {
            try
            {
                SqliteConnection connection = Connect();
                using SqliteTransaction transaction = connection.BeginTransaction(deferred: false);
                using SqliteSession session = new(connection, transaction);
                foreach (SqliteOperation operation in batch)
                {
                    // Who left while we waited for the file is not begun.
                    if (!operation.IsWithdrawn() && operation.TryBegin()) operation.Run(session);
                }

                transaction.Commit();
            }
            catch (Exception error)
            {
                // A connection that has failed may be in a state of its own; the next batch opens a new one.
                failure = error is SqliteException sqlite ? SqliteErrors.Translate(sqlite, _database) : error;
                _connection?.Dispose();
                _connection = null;
            }
        }

        foreach (SqliteOperation operation in batch) operation.Finish(failure);
    }

    private SqliteConnection Connect()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_connection is not null)
        {
            CheckThatItIsTheSameFile();
            return _connection;
        }

        SqliteConnection connection = new(new SqliteConnectionStringBuilder(_options.ConnectionString)
        {
            Pooling = false,
            DefaultTimeout = (int)Math.Ceiling(_options.BusyTimeout.TotalSeconds),
        }.ConnectionString);
        try
        {
            connection.Open();
            SqliteSetup.Prepare(connection, _options, Traits.IsDurable, Schema);
        }
        catch
        {
            connection.Dispose();
            throw;
        }

        // Not what we were given: that may be a URI, or relative to a folder of data that the application has named.
        _path = Traits.IsDurable ? connection.DataSource : null;
        _file = _path is null ? null : FileIdentity.Of(_path);
        if (_file is null) _path = null;
        return _connection = connection;
    }

    /// <summary>Whether a name stands for a database that goes with its connections: in memory, or a temporary file (a URI without a path).</summary>
    private static bool IsInMemory(string name)
    {
        const string Uri = "file:";
        if (!name.StartsWith(Uri, StringComparison.OrdinalIgnoreCase)) return name == ":memory:";
        return name[Uri.Length..].Split('?')[0] is "" or ":memory:"
            || name.Contains("mode=memory", StringComparison.Ordinal) || name.Contains("vfs=memdb", StringComparison.Ordinal);
    }

    /// <summary>Who deletes or replaces a file that is open leaves us with one that no other process sees: both would execute.</summary>
    private void CheckThatItIsTheSameFile()
    {
        if (_path is null || (FileIdentity.Of(_path) is { } found && found == _file)) return;

        // Not closed, and never collected: SQLite would delete the log that lies beside the new file under the old name.
        lock (LeftBehind) LeftBehind.Add(_connection!);
        _connection = null;
        throw new IdempotencyStoreException(
            IdempotencyStoreFault.Misconfigured,
            $"SQLite: the file {_path} was deleted or replaced while it was in use. What it held is lost; it is opened anew.");
    }
}
