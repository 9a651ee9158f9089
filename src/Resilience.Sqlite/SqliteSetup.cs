using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Resilience.Idempotency;

/// <summary>Makes a connection that was just opened ready: its journal, its patience, the table and the check of its format.</summary>
internal static class SqliteSetup
{
    internal static void Prepare(SqliteConnection connection, SqliteIdempotencyOptions options, bool isDurable, string schema)
    {
        Execute(connection, $"PRAGMA busy_timeout={(long)options.BusyTimeout.TotalMilliseconds}");
        string journal = Ask(connection, "PRAGMA journal_mode=WAL");
        if (isDurable && journal != "wal")
        {
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Misconfigured, $"SQLite: the journal mode of {options.ConnectionString} is {journal}, but must be wal.");
        }

        Execute(connection, $"PRAGMA synchronous={(options.SurvivesPowerFailure ? "FULL" : "NORMAL")}");
        if (options.CreateTable) Execute(connection, schema);
        ThrowIfNewer(options, Ask(connection, $"SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{options.Table}' COLLATE NOCASE"));
    }

    private static void ThrowIfNewer(SqliteIdempotencyOptions options, string schema)
    {
        int at = schema.IndexOf(SqliteRecords.FormatWord, StringComparison.Ordinal);
        string digits = at < 0 ? "" : new([.. schema.Skip(at + SqliteRecords.FormatWord.Length).TakeWhile(char.IsAsciiDigit)]);
        if (!int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int format) || format <= SqliteRecords.NewestFormat) return;
        throw new IdempotencyStoreException(
            IdempotencyStoreFault.Misconfigured,
            $"SQLite: the table {options.Table} has format {format}, which a newer version of this library made; "
            + $"this one works with format {SqliteRecords.NewestFormat}.");
    }

    [SuppressMessage("Security", "CA2100", Justification = "Made of constants and of a table name that was checked.")]
    private static string Ask(SqliteConnection connection, string statement)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = statement;
        return command.ExecuteScalar() as string ?? "";
    }

    [SuppressMessage("Security", "CA2100", Justification = "Made of constants and of a table name that was checked.")]
    private static void Execute(SqliteConnection connection, string statement)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = statement;
        command.ExecuteNonQuery();
    }
}
