using Npgsql;

namespace Resilience.Idempotency;

/// <summary>What the errors of PostgreSQL mean to a store.</summary>
internal static class PostgresErrors
{
    /// <summary>True when the same statement may succeed at once: it lost against another transaction.</summary>
    internal static bool IsConflict(Exception error) =>
        error is PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected };

    /// <summary>True when something of that name was created elsewhere meanwhile.</summary>
    internal static bool IsDuplicate(PostgresException error) => error.SqlState is
        PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateObject or PostgresErrorCodes.DuplicateSchema or PostgresErrorCodes.UniqueViolation;

    /// <summary>Null when it is not the store's: a mistake of the caller, or his cancellation.</summary>
    internal static IdempotencyStoreException? Translate(Exception error, string table, CancellationToken cancellationToken) => error switch
    {
        PostgresException e => new(FaultOf(e.SqlState), $"PostgreSQL rejected an operation on {table}: {e.SqlState} {e.MessageText}", e),
        NpgsqlException or TimeoutException or IOException =>
            new(IdempotencyStoreFault.Unavailable, $"PostgreSQL could not be asked about {table}: {error.Message}", error),
        OperationCanceledException when !cancellationToken.IsCancellationRequested =>
            new(IdempotencyStoreFault.Unavailable, $"PostgreSQL did not answer about {table}.", error),
        InvalidCastException => new(IdempotencyStoreFault.Misconfigured, $"The columns of {table} have other types than they must have.", error),
        _ => null,
    };

    internal static IdempotencyStoreException Corrupt(IdempotencyId id, string table) =>
        new(IdempotencyStoreFault.Corrupt, $"The row {id} in {table} is no record of ours, or one of a newer version.");

    /// <summary>True when a statement about several rows may have failed because of one of them, or because they were many. False when it fails with any row:
    /// the server cannot be asked, or is set up wrongly.</summary>
    internal static bool MayBeOfOneRow(Exception error)
    {
        if (error is not IdempotencyStoreException { InnerException: PostgresException e }) return false;
        if (e.SqlState == PostgresErrorCodes.QueryCanceled) return true; // the server's own limit for a statement
        return e.SqlState.AsSpan(0, Math.Min(2, e.SqlState.Length)) is not
            ("" or "08" or "0A" or "25" or "28" or "3D" or "3F" or "42" or "53" or "55" or "57" or "58");
    }

    private static IdempotencyStoreFault FaultOf(string state) => state switch
    {
        PostgresErrorCodes.DiskFull or PostgresErrorCodes.ProgramLimitExceeded => IdempotencyStoreFault.Full,

        // Half a row cannot be read, or a number or a moment in it cannot be reckoned with.
        PostgresErrorCodes.DataCorrupted or PostgresErrorCodes.IndexCorrupted or PostgresErrorCodes.NumericValueOutOfRange
            or PostgresErrorCodes.DatetimeFieldOverflow => IdempotencyStoreFault.Corrupt,

        // A standby that was the primary a moment ago.
        PostgresErrorCodes.ReadOnlySqlTransaction => IdempotencyStoreFault.Unavailable,
        _ => state.AsSpan(0, Math.Min(2, state.Length)) switch
        {
            // No such table, column, right, database, schema; not let in; rows that the table does not take; not supported by that version.
            "42" or "3D" or "3F" or "28" or "23" or "22" or "0A" => IdempotencyStoreFault.Misconfigured,
            _ => IdempotencyStoreFault.Unavailable,
        },
    };
}
