namespace Resilience.Idempotency;

/// <summary>PostgreSQL.</summary>
internal sealed class PostgreSqlDialect : RecordDialect
{
    internal override string Name => "entity-framework-postgresql";

    /// <summary><c>clock_timestamp()</c> and not <c>now()</c>, which stands still in a transaction; exact to a microsecond until the year 2255.</summary>
    internal override string Clock => "(date_part('epoch', clock_timestamp()) * 1000000)::bigint";

    /// <summary>With OFFSET it is not flattened, so the clock is read once.</summary>
    internal override string ClockTable => $"(SELECT {Clock} AS now OFFSET 0)";

    internal override string OrNothing => " ON CONFLICT DO NOTHING";

    internal override string ForUpdate => " FOR UPDATE";

    internal override bool AsksTogether => true;

    internal override bool HasSnapshots => true;

    internal override string TryLock(string number) => $"pg_try_advisory_xact_lock({number})";

    internal override string WaitForLock(string number) => $"SELECT pg_advisory_xact_lock({number})";

    internal override string Purge(RecordNames names, int max) => $"""
        WITH gone AS (
            SELECT g.{names.Id} AS id FROM {names.Table} AS g
             WHERE g.{names.ExpiresDay} <= (SELECT {DayOf(Clock)}) AND g.{names.ExpiresAt} <= (SELECT {Clock})
             ORDER BY g.{names.ExpiresDay} LIMIT {max} FOR UPDATE SKIP LOCKED)
        DELETE FROM {names.Table} AS r USING gone WHERE r.{names.Id} = gone.id
        """;
}
