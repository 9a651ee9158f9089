namespace Resilience.Idempotency;

/// <summary>The statements of the store for one table. Names were checked to be plain and are quoted.</summary>
/// <remarks>
/// <para>Time is <c>clock_timestamp()</c>, never <c>now()</c>: that one stands still in a transaction and is old after a wait for a lock.
/// Where it decides more than one thing it is read once, in a subquery, which is not flattened because the function is volatile.</para>
/// <para><c>date_part</c> and not <c>extract</c>, which reckons in decimals; what it gives is exact to a microsecond until the year 2255.</para>
/// <para>Spans are microseconds and multiplied by an interval of one: an interval with days would depend on the time zone of the session.</para>
/// </remarks>
internal sealed class PostgresStatements
{
    /// <summary>The format of the table: 1 was without <c>expires_day</c>. It stands in the comment of the table.</summary>
    internal const int NewestFormat = 2;

    private const string Clock = "(SELECT clock_timestamp() AS now OFFSET 0)";
    private const string Micros = "(date_part('epoch', c.now) * 1000000)::bigint";

    /// <summary>Whether no transaction is at this id; held until the transaction ends. Not flattened, so asked once.</summary>
    private static string LockOf(string number) => $"(SELECT pg_try_advisory_xact_lock({number}) AS is_free OFFSET 0)";

    internal PostgresStatements(string schema, string table)
    {
        Table = $"\"{schema}\".\"{table}\"";
        Create = Creation(schema, table);

        string look = $"""
            SELECT r.state, r.fence, r.attempt, r.fingerprint = $2, r.expires_at > c.now, (date_part('epoch', r.lease_until - c.now) * 1000000)::bigint,
                   (r.state IN (2, 3, 4) OR (r.state = 1 AND r.nonce IS NOT NULL AND r.lease_until IS NOT NULL))
                   AND r.fence > 0 AND r.attempt > 0 AND octet_length(r.fingerprint) = 32 AND r.expires_at IS NOT NULL,
                   CASE WHEN r.fingerprint = $2 AND r.state IN (2, 4) AND r.expires_at > c.now THEN r.payload END,
                   r.state = 1 AND r.nonce = $3, (date_part('epoch', r.expires_at - c.now) * 1000000)::bigint
              FROM {Table} AS r CROSS JOIN {Clock} AS c
             WHERE r.id = $1
            """;

        // A new key, or what is there already, in one statement: a row that was granted comes back as state 0, in the columns of the look. What is there
        // is neither locked nor written. Nothing comes back when another caller is at the same new key.
        Begin = $"""
            WITH seen AS MATERIALIZED ({look}),
                 mine AS (
                   INSERT INTO {Table} (id, state, fence, attempt, nonce, fingerprint, lease_until, expires_at, begun_at, expires_day)
                   SELECT $1, 1, (c.epoch * 1000000)::bigint, 1, $3, $2, {After("$4")}, {After("$5")}, c.now, floor((c.epoch + $5 / 1000000) / 86400)::integer
                     FROM (SELECT t.now, date_part('epoch', t.now) AS epoch FROM {Clock} AS t) AS c
                    WHERE NOT EXISTS (SELECT FROM seen) AND pg_try_advisory_xact_lock($6)
                   ON CONFLICT (id) DO NOTHING
                   RETURNING 0::smallint, fence, 1, lease_until - clock_timestamp() > $4 / 2 * interval '1 microsecond',
                             true, 0::bigint, true, NULL::bytea, true, 0::bigint)
            SELECT * FROM mine UNION ALL SELECT * FROM seen
            """;

        // A row comes back if and only if the claim was granted. Everything that decides is looked at again under the lock of the row.
        // A duplicate, of which a plain look shows that it will be rejected, comes to no conflict: that would lock the row, which is a
        // write and waits for the disk. If the look was wrong by now, Explain says so, and we ask again.
        Acquire = $"""
            INSERT INTO {Table} AS r (id, state, fence, attempt, nonce, fingerprint, lease_until, expires_at, begun_at, expires_day)
            SELECT $1, 1, {Micros}, 1, $3, $2, {After("$4")}, {After("$5")}, c.now, {Day(After("$5"))}
              FROM {Clock} AS c, {LockOf("$7")} AS l
             WHERE l.is_free AND NOT EXISTS (
                   SELECT 1 FROM {Table} AS s
                    WHERE s.id = $1 AND s.expires_at > c.now
                      AND (s.state IN (2, 4) OR (s.state = 1 AND s.lease_until > c.now AND s.nonce <> $3)))
            ON CONFLICT (id) DO UPDATE
               SET (state, fence, attempt, nonce, fingerprint, lease_until, expires_at, begun_at, expires_day, payload) = (
                   SELECT 1::smallint,
                          CASE WHEN d.live AND r.nonce = EXCLUDED.nonce THEN r.fence ELSE GREATEST(r.fence + 1, d.micros) END,
                          CASE WHEN NOT d.live THEN 1 WHEN r.nonce = EXCLUDED.nonce THEN r.attempt ELSE r.attempt + 1 END,
                          EXCLUDED.nonce, EXCLUDED.fingerprint, d.lease_until, d.expires_at,
                          CASE WHEN d.live THEN r.begun_at ELSE d.now END,
                          {Day("d.expires_at")},
                          NULL::bytea
                     FROM (SELECT c.now, {Micros} AS micros, {After("$4")} AS lease_until, {After("$5")} AS expires_at,
                                  r.state = 1 AND r.expires_at > c.now AS live
                             FROM {Clock} AS c OFFSET 0) AS d)
             WHERE r.state = 3 OR r.expires_at <= clock_timestamp()
                OR (r.state = 1 AND r.fence > 0 AND r.attempt > 0 AND r.fingerprint = EXCLUDED.fingerprint
                    AND (r.nonce = EXCLUDED.nonce OR (r.lease_until <= clock_timestamp() AND r.attempt < $6)))
            RETURNING fence, attempt, (date_part('epoch', lease_until - clock_timestamp()) * 1000000)::bigint
            """;

        // A statement of its own with a snapshot of its own: one that shares the snapshot of the claim would not see a winner who
        // committed while the claim waited for him. The lock that the rejected claim took keeps the row as it is until we have looked.
        Explain = look;

        Renew = $"""
            UPDATE {Table} AS r
               SET (lease_until, expires_at, expires_day) = (
                   SELECT {After("$3")}, GREATEST(r.expires_at, {After("$3")}), {Day($"GREATEST(r.expires_at, {After("$3")})")} FROM {Clock} AS c)
             WHERE r.id = $1 AND r.fence = $2 AND r.state = 1
            """;

        // Answers come with the number of the asked. A row that is locked is passed over, so this waits for no row and has no order to keep. The last part
        // looks at the rows as they were before the statement: one that was held then, and was not renewed, is locked or has just changed.
        RenewSeveral = $"""
            WITH asked AS MATERIALIZED (
                   SELECT a.id, a.fence, a.lease, a.number
                     FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS a (id, fence, lease, number)),
                 free AS MATERIALIZED (
                   SELECT r.id, a.lease, a.number FROM asked AS a JOIN {Table} AS r ON r.id = a.id AND r.fence = a.fence
                    WHERE r.state = 1 FOR NO KEY UPDATE OF r SKIP LOCKED),
                 renewed AS (
                   UPDATE {Table} AS r
                      SET (lease_until, expires_at, expires_day) = (
                          SELECT {After("f.lease")}, GREATEST(r.expires_at, {After("f.lease")}), {Day($"GREATEST(r.expires_at, {After("f.lease")})")}
                            FROM {Clock} AS c)
                     FROM free AS f WHERE r.id = f.id
                   RETURNING f.number)
            SELECT number, true FROM renewed
            UNION ALL
            SELECT a.number, false FROM asked AS a JOIN {Table} AS r ON r.id = a.id AND r.fence = a.fence
             WHERE r.state = 1 AND NOT EXISTS (SELECT FROM renewed AS n WHERE n.number = a.number)
            """;
        Complete = $"""
            UPDATE {Table} AS r
               SET state = $3, payload = $4, lease_until = NULL,
                   (expires_at, expires_day) = (SELECT {After("$5")}, {Day(After("$5"))} FROM {Clock} AS c)
             WHERE r.id = $1 AND r.fence = $2 AND r.state = 1
            """;
        Release = $"""
            UPDATE {Table} AS r
               SET state = 3, payload = NULL, nonce = NULL, lease_until = NULL,
                   (expires_at, expires_day) = (SELECT {After("60000000")}, {Day(After("60000000"))} FROM {Clock} AS c)
             WHERE r.id = $1 AND r.fence = $2 AND r.state = 1
            """;

        // What is in doubt is looked at again under the lock of the row; the lock of the id says whether a transaction is about to decide.
        Resolve = $"""
            UPDATE {Table} AS r
               SET (state, fence, nonce, payload, lease_until, expires_at, expires_day) = (
                   SELECT $3::smallint, GREATEST(r.fence + 1, {Micros}), $4::uuid, $5::bytea, NULL::timestamptz, {After("$6")}, {Day(After("$6"))}
                     FROM {Clock} AS c)
              FROM {LockOf("$7")} AS l
             WHERE r.id = $1 AND l.is_free AND ($2 = 0 OR r.fence = $2) AND r.expires_at > clock_timestamp()
               AND (r.state = 1 AND r.lease_until <= clock_timestamp() OR r.state = 4 AND NOT ($3 = 4 AND r.nonce IS NOT DISTINCT FROM $4::uuid))
               AND r.fence > 0 AND r.attempt > 0 AND octet_length(r.fingerprint) = 32
            RETURNING r.fence
            """;
        ExplainResolve = $"""
            SELECT r.state, r.fence, r.expires_at > c.now, (date_part('epoch', r.lease_until - c.now) * 1000000)::bigint,
                   (r.state IN (2, 3, 4) OR (r.state = 1 AND r.lease_until IS NOT NULL))
                   AND r.fence > 0 AND r.attempt > 0 AND octet_length(r.fingerprint) = 32 AND r.expires_at IS NOT NULL,
                   r.state = $2 AND r.nonce IS NOT DISTINCT FROM $3::uuid
              FROM {Table} AS r CROSS JOIN {Clock} AS c
             WHERE r.id = $1
            """;
        Setup = """
            SELECT c.relpersistence::text, obj_description(c.oid, 'pg_class'),
                   EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'expires_day' AND NOT a.attisdropped),
                   pg_is_in_recovery(), current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'),
                   current_setting('synchronous_standby_names') <> ''
              FROM pg_class AS c WHERE c.oid = to_regclass($1)
            """;
        WasDone = $"SELECT 1 FROM {Table} AS r WHERE r.id = $1 AND r.fence = $2 AND r.state = $3";
        Peek = $"""
            SELECT r.state, r.fence, r.expires_at > c.now, (date_part('epoch', r.lease_until - c.now) * 1000000)::bigint,
                   (r.state IN (2, 3, 4) OR (r.state = 1 AND r.lease_until IS NOT NULL)) AND r.fence > 0 AND r.expires_at IS NOT NULL
              FROM {Table} AS r CROSS JOIN {Clock} AS c
             WHERE r.id = $1
            """;

        // Who asks after a lost COMMIT waits for the transaction that may still be committing: a plain look would show the state before it.
        WasCommitted = $"SELECT r.state IN (2, 4) AND r.nonce = $2 FROM {Table} AS r WHERE r.id = $1 FOR UPDATE";

        // The day as a scalar subquery, so that the index on it serves; USING and not IN, so that no plan runs the limit twice.
        Purge = $"""
            WITH gone AS (
                SELECT g.id FROM {Table} AS g
                 WHERE g.expires_day <= (SELECT {Day("clock_timestamp()")}) AND g.expires_at <= (SELECT clock_timestamp())
                 ORDER BY g.expires_day LIMIT $1 FOR UPDATE SKIP LOCKED)
            DELETE FROM {Table} AS r USING gone WHERE r.id = gone.id
            """;
    }

    /// <summary>Schema and table, quoted.</summary>
    internal string Table { get; }

    internal IReadOnlyList<string> Create { get; }

    /// <summary>How table and server are set up.</summary>
    internal string Setup { get; }

    internal string Begin { get; }

    internal string Acquire { get; }

    /// <summary>Says to others that a transaction is at this id. If another one is, they hear it from that one.</summary>
    internal string TakeLock { get; } = "SELECT pg_try_advisory_xact_lock($1)";

    internal string WaitForLock { get; } = "SELECT pg_advisory_xact_lock($1)";

    internal string WasCommitted { get; }

    internal string Explain { get; }

    internal string Renew { get; }

    /// <summary>For ids that all differ. True: renewed; false: not known, because another transaction is at the row; no answer: not held.</summary>
    internal string RenewSeveral { get; }

    internal string Complete { get; }

    internal string Release { get; }

    internal string Resolve { get; }

    internal string ExplainResolve { get; }

    internal string WasDone { get; }

    internal string Peek { get; }

    internal string Purge { get; }

    private static string After(string span) => $"c.now + {span} * interval '1 microsecond'";

    /// <summary>The day of a moment, counted from 1970. It is indexed in place of the moment: it seldom changes when a record is completed, and then
    /// PostgreSQL need not touch any index.</summary>
    private static string Day(string moment) => $"floor(date_part('epoch', {moment}) / 86400)::integer";

    private static List<string> Creation(string schema, string table)
    {
        List<string> script = [];
        if (schema != "public") script.Add($"CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
        script.Add($"""
            CREATE TABLE IF NOT EXISTS "{schema}"."{table}" (
                id          bytea       NOT NULL PRIMARY KEY CHECK (octet_length(id) = 32), -- SHA-256 of scope and key
                state       smallint    NOT NULL CHECK (state IN (1, 2, 3, 4)), -- 1 in progress, 2 completed, 3 released, 4 indeterminate
                fence       bigint      NOT NULL CHECK (fence > 0),   -- the stamp of the present claim, larger than all before
                attempt     integer     NOT NULL CHECK (attempt > 0), -- how often it was begun
                nonce       uuid        CHECK (state <> 1 OR nonce IS NOT NULL), -- who claimed it
                fingerprint bytea       NOT NULL CHECK (octet_length(fingerprint) = 32), -- SHA-256 of what was asked for
                lease_until timestamptz CHECK (state <> 1 OR lease_until IS NOT NULL), -- in progress: then others may take over
                expires_at  timestamptz NOT NULL, -- from here on the row means nothing and may be deleted
                begun_at    timestamptz NOT NULL, -- when it was claimed first
                payload     bytea       CHECK (state NOT IN (2, 4) OR payload IS NOT NULL), -- what duplicates receive
                expires_day integer     NOT NULL DEFAULT 0 -- the day of expires_at since 1970, for purging; 0 where an older version wrote the row
            ) WITH (fillfactor = 80)
            """);

        // A table of an older version; its processes go on working beside ours.
        script.Add($"ALTER TABLE \"{schema}\".\"{table}\" ADD COLUMN IF NOT EXISTS expires_day integer NOT NULL DEFAULT 0");
        script.Add($"CREATE INDEX IF NOT EXISTS \"{table}_expires_day\" ON \"{schema}\".\"{table}\" (expires_day)");
        script.Add($"""
            DO $do$ BEGIN
              IF coalesce(substring(obj_description('"{schema}"."{table}"'::regclass, 'pg_class') FROM 'format (\d+)')::integer, 1) < {NewestFormat} THEN
                COMMENT ON TABLE "{schema}"."{table}" IS 'Idempotency records of Resilience, format {NewestFormat}';
              END IF;
            END $do$
            """);
        script.Add($"DROP INDEX IF EXISTS \"{schema}\".\"{table}_expires_at\"");
        return script;
    }
}
