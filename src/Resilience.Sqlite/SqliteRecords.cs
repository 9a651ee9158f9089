using Microsoft.Data.Sqlite;

namespace Resilience.Idempotency;

/// <summary>The protocol over rows: read, ask the rules, write. Every method runs within a transaction that has the file to itself.</summary>
internal sealed class SqliteRecords(SqliteIdempotencyOptions options, TimeProvider time)
{
    private readonly string _select = $"SELECT state, fence, attempt, nonce, fingerprint, lease_until, expires_at, payload FROM {options.Table} WHERE id = $id";
    private readonly string _selectWithoutPayload =
        $"SELECT state, fence, attempt, nonce, fingerprint, lease_until, expires_at, NULL FROM {options.Table} WHERE id = $id";

    private readonly string _write = $"""
        INSERT INTO {options.Table} (id, state, fence, attempt, nonce, fingerprint, lease_until, expires_at, payload)
        VALUES ($id, $state, $fence, $attempt, $nonce, $fingerprint, $lease_until, $expires_at, $payload)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, fence = excluded.fence, attempt = excluded.attempt, nonce = excluded.nonce,
            fingerprint = excluded.fingerprint, lease_until = excluded.lease_until, expires_at = excluded.expires_at, payload = excluded.payload
        """;

    private readonly string _purge =
        $"DELETE FROM {options.Table} WHERE id IN (SELECT id FROM {options.Table} WHERE expires_at <= $now ORDER BY expires_at LIMIT $most)";

    /// <summary>SQLite keeps the text of the statement, so that this stays with the table. Where it is missing the format is 1.</summary>
    internal const string FormatWord = "records of Resilience, format ";

    /// <summary>The format that is written, and the newest that is read.</summary>
    internal const int NewestFormat = 1;

    internal string Schema { get; } = $"""
        CREATE TABLE IF NOT EXISTS {options.Table} ( -- {FormatWord}{NewestFormat}
            id          BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of scope and key
            state       INTEGER NOT NULL,             -- 1 in progress, 2 completed, 3 released, 4 outcome unknown
            fence       INTEGER NOT NULL,             -- rises with every claim
            attempt     INTEGER NOT NULL,             -- how often the operation was begun
            nonce       BLOB    NOT NULL,             -- of the claim that is in progress
            fingerprint BLOB    NOT NULL,             -- SHA-256 of what was asked for
            lease_until INTEGER NOT NULL,             -- microseconds since 1970
            expires_at  INTEGER NOT NULL,             -- microseconds since 1970
            payload     BLOB                          -- what duplicates receive
        );
        CREATE INDEX IF NOT EXISTS {options.Table}_expires_at ON {options.Table} (expires_at);
        """;

    /// <summary>Read after the file was locked.</summary>
    private long Now => (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    internal AcquireResult Acquire(SqliteSession session, in AcquireRequest request)
    {
        IdempotencyRecord record = Read(session, _select, request.Id, out byte[] payload);
        long now = Now;
        AcquireStatus status = IdempotencyRules.Acquire(record, request, now, out IdempotencyRecord next);
        if (status == AcquireStatus.Acquired) Write(session, request.Id, next, []);
        return IdempotencyRules.ResultOf(status, record, next, payload, now);
    }

    /// <summary>The answer to a claim that is rejected as things are; null when it would be granted.</summary>
    internal AcquireResult? Look(SqliteSession session, in AcquireRequest request)
    {
        IdempotencyRecord record = Read(session, _select, request.Id, out byte[] payload);
        long now = Now;
        AcquireStatus status = IdempotencyRules.Acquire(record, request, now, out IdempotencyRecord next);
        return status == AcquireStatus.Acquired ? null : IdempotencyRules.ResultOf(status, record, next, payload, now);
    }

    internal bool WasCommitted(SqliteSession session, IdempotencyId id, Guid nonce)
    {
        IdempotencyRecord record = Read(session, _selectWithoutPayload, id, out _);
        return record.State is IdempotencyRecordState.Completed or IdempotencyRecordState.OutcomeUnknown && record.Nonce == nonce;
    }

    internal bool Renew(SqliteSession session, IdempotencyId id, long fence, TimeSpan lease)
    {
        IdempotencyRecord record = Read(session, _selectWithoutPayload, id, out _);
        bool isHeld = IdempotencyRules.Renew(record, fence, lease, Now, out IdempotencyRecord next);
        if (isHeld) Write(session, id, next, []);
        return isHeld;
    }

    internal bool Complete(SqliteSession session, IdempotencyId id, long fence, IdempotencyCompletion completion, byte[] payload, TimeSpan retention)
    {
        IdempotencyRecord record = Read(session, _selectWithoutPayload, id, out _);
        bool isKept = IdempotencyRules.Complete(record, fence, completion, retention, Now, out IdempotencyRecord next, out bool changed);
        if (changed) Write(session, id, next, payload);
        return isKept;
    }

    internal bool Release(SqliteSession session, IdempotencyId id, long fence)
    {
        IdempotencyRecord record = Read(session, _selectWithoutPayload, id, out _);
        bool isReleased = IdempotencyRules.Release(record, fence, Now, out IdempotencyRecord next, out bool changed);
        if (changed) Write(session, id, next, []);
        return isReleased;
    }

    internal ResolveResult Resolve(SqliteSession session, in ResolveRequest request, byte[] payload)
    {
        IdempotencyRecord record = Read(session, _selectWithoutPayload, request.Id, out _);
        ResolveStatus status = IdempotencyRules.Resolve(record, request, Now, out IdempotencyRecord next, out bool changed);
        if (changed) Write(session, request.Id, next, payload);
        return IdempotencyRules.ResultOf(status, next);
    }

    internal PeekResult Peek(SqliteSession session, IdempotencyId id) => IdempotencyRules.Peek(Read(session, _selectWithoutPayload, id, out _), Now);

    internal int Purge(SqliteSession session, int max) => session.Command(_purge, ("$now", Now), ("$most", max)).ExecuteNonQuery();

    private static IdempotencyRecord Read(SqliteSession session, string select, IdempotencyId id, out byte[] payload)
    {
        payload = [];
        using SqliteDataReader reader = session.Command(select, ("$id", id.ToArray())).ExecuteReader();
        if (!reader.Read()) return default;
        try
        {
            IdempotencyRecord record = new()
            {
                State = (IdempotencyRecordState)(long)reader[0],
                Fence = (long)reader[1],
                Attempt = checked((int)(long)reader[2]),
                Nonce = new Guid((byte[])reader[3]),
                Fingerprint = Fingerprint.FromBytes((byte[])reader[4]),
                LeaseUntil = (long)reader[5],
                ExpiresAt = (long)reader[6],
            };
            if (reader[7] is not DBNull) payload = (byte[])reader[7];
            if (record.State is >= IdempotencyRecordState.InFlight and <= IdempotencyRecordState.OutcomeUnknown && record.Fence > 0) return record;
        }
        catch (Exception wrong) when (wrong is InvalidCastException or ArgumentException or OverflowException)
        {
            throw Corrupt(id, wrong);
        }

        throw Corrupt(id, null);
    }

    private static IdempotencyStoreException Corrupt(IdempotencyId id, Exception? why) =>
        new(IdempotencyStoreFault.Corrupt, $"The row of {id} is no record that this version understands.", why);

    private void Write(SqliteSession session, IdempotencyId id, in IdempotencyRecord record, byte[] payload)
    {
        int rows = session.Command(
            _write,
            ("$id", id.ToArray()), ("$state", (int)record.State), ("$fence", record.Fence), ("$attempt", record.Attempt),
                ("$nonce", record.Nonce.ToByteArray()),
            ("$fingerprint", record.Fingerprint.ToArray()), ("$lease_until", record.LeaseUntil), ("$expires_at", record.ExpiresAt),
                ("$payload", payload)).ExecuteNonQuery();
        if (rows != 1) throw new IdempotencyStoreException(IdempotencyStoreFault.Corrupt, $"Writing {id} changed {rows} rows.");
    }
}

/// <summary>What SQLite's error codes mean for a store.</summary>
internal static class SqliteErrors
{
    /// <summary>Another connection has the file: BUSY or LOCKED.</summary>
    internal static bool IsBusy(IdempotencyStoreException error) => error.InnerException is SqliteException { SqliteErrorCode: 5 or 6 };

    internal static IdempotencyStoreException Translate(SqliteException error, string database)
    {
        IdempotencyStoreFault fault = error.SqliteErrorCode switch
        {
            13 => IdempotencyStoreFault.Full,
            11 => IdempotencyStoreFault.Corrupt,
            1 or 3 or 8 or 14 or 23 or 26 => IdempotencyStoreFault.Misconfigured, // no such table, no right, read-only, cannot be opened, no database
            _ => IdempotencyStoreFault.Unavailable, // BUSY, LOCKED, IOERR and the rest
        };
        return new(fault, $"SQLite, {database}: {error.Message}", error);
    }
}
