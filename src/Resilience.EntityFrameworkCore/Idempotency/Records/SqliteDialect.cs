namespace Resilience.Idempotency;

/// <summary>SQLite: one writer at a time, and the clock of the machine, to a millisecond.</summary>
internal sealed class SqliteDialect : RecordDialect
{
    internal override string Name => "entity-framework-sqlite";

    internal override string Clock => "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000";

    internal override string OrNothing => " ON CONFLICT DO NOTHING";

    internal override bool IsSynchronous => true;

    /// <summary>The least that the driver knows. A gate waits for as long, unless it was told otherwise.</summary>
    internal override int? CommandSeconds => 1;

    internal override bool HasOneWriter => true;

    internal override string Purge(RecordNames names, int max) => $"""
        DELETE FROM {names.Table} WHERE {names.Id} IN (
            SELECT {names.Id} FROM {names.Table}
             WHERE {names.ExpiresDay} <= {DayOf(Clock)} AND {names.ExpiresAt} <= {Clock} ORDER BY {names.ExpiresDay} LIMIT {max})
        """;
}
