using System.Data.Common;
using System.Net.Sockets;
using Resilience.EntityFrameworkCore;

namespace Resilience.Idempotency;

/// <summary>What the errors of a database mean to a store of records.</summary>
internal static class RecordErrors
{
    private const int SqliteCorrupt = 11, SqliteFull = 13, SqliteBusy = 5, SqliteLocked = 6;

    /// <summary>True when the transaction was rolled back because of another one, and may succeed if it is begun anew.</summary>
    internal static bool IsConflict(Exception error) => Innermost(error) is { } database && IsConflict(database);

    /// <summary>Null when it is not the store's: a mistake of the caller, or his cancellation.</summary>
    internal static IdempotencyStoreException? Translate(Exception error, string table, CancellationToken cancellationToken) => error switch
    {
        IdempotencyStoreException => null,
        _ when Innermost(error) is { } database => new(FaultOf(database), $"The database rejected an operation on {table}: {database.Message}", error),
        TimeoutException or IOException or SocketException =>
            new(IdempotencyStoreFault.Unavailable, $"The database could not be asked about {table}: {error.Message}", error),
        OperationCanceledException when !cancellationToken.IsCancellationRequested =>
            new(IdempotencyStoreFault.Unavailable, $"The database did not answer about {table}.", error),
        InvalidCastException => new(IdempotencyStoreFault.Misconfigured, $"The columns of {table} have other types than they must have.", error),
        _ => null,
    };

    internal static DbException? Innermost(Exception error)
    {
        const int Deepest = 16;
        DbException? found = null;
        Exception? inner = error;
        for (int depth = 0; inner is not null && depth < Deepest; depth++, inner = inner.InnerException) found = inner as DbException ?? found;
        return found;
    }

    private static bool IsConflict(DbException error)
    {
        if (DatabaseErrors.SqliteCodeOf(error) is { } code) return (code & 0xFF) is SqliteBusy or SqliteLocked;
        string? state = DatabaseErrors.StateOf(error);
        if (state is "40001" or "40P01") return true;
        return DatabaseErrors.FindByNumber(error) is { Code: "1205" or "3960" or "1213" };
    }

    private static IdempotencyStoreFault FaultOf(DbException error)
    {
        if (DatabaseErrors.SqliteCodeOf(error) is { } code)
        {
            return (code & 0xFF) switch
            {
                SqliteFull => IdempotencyStoreFault.Full,
                SqliteCorrupt => IdempotencyStoreFault.Corrupt,
                1 or 3 or 8 or 14 or 23 or 26 => IdempotencyStoreFault.Misconfigured, // no such table, no right, read-only, cannot be opened, no database
                _ => IdempotencyStoreFault.Unavailable,
            };
        }

        string state = DatabaseErrors.StateOf(error) ?? "";
        return state switch
        {
            "53100" or "54000" => IdempotencyStoreFault.Full,
            "XX001" or "XX002" or "22003" or "22008" => IdempotencyStoreFault.Corrupt,
            "25006" => IdempotencyStoreFault.Unavailable, // a standby that was the primary a moment ago
            _ => state.AsSpan(0, Math.Min(2, state.Length)) switch
            {
                // No such table, column, right, database, schema; not let in; rows that the table does not take; not supported by that version.
                "42" or "3D" or "3F" or "28" or "23" or "22" or "0A" => IdempotencyStoreFault.Misconfigured,
                _ => IdempotencyStoreFault.Unavailable,
            },
        };
    }
}
