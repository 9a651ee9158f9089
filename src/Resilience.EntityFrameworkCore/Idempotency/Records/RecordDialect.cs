namespace Resilience.Idempotency;

/// <summary>What databases say in different words, or can do at all.</summary>
internal abstract class RecordDialect
{
    internal const string SqliteProvider = "Microsoft.EntityFrameworkCore.Sqlite";

    private const string MicrosOfDay = "86400000000";

    /// <summary>What operators call it.</summary>
    internal abstract string Name { get; }

    /// <summary>The server's time in microseconds since 1970. It moves within a transaction.</summary>
    internal abstract string Clock { get; }

    /// <summary>A table of one row with the time, in which it is read once.</summary>
    internal virtual string ClockTable => $"(SELECT {Clock} AS now)";

    /// <summary>Ends an INSERT of a row that may be there.</summary>
    internal virtual string OrNothing => "";

    /// <summary>True when an INSERT of a row that is there is an error, which some databases answer by breaking the transaction off.</summary>
    internal virtual bool InsertsMayFail => OrNothing.Length == 0;

    /// <summary>A condition that takes the lock of an id until the transaction ends, and is false while another transaction has it.</summary>
    internal virtual string? TryLock(string number) => null;

    /// <summary>A statement that waits for the lock of an id.</summary>
    internal virtual string? WaitForLock(string number) => null;

    /// <summary>Ends a SELECT that locks what it finds.</summary>
    internal virtual string ForUpdate => "";

    /// <summary>True when one command may hold two statements, and the first of them costs others nothing if it changes nothing.</summary>
    internal virtual bool AsksTogether => false;

    /// <summary>True when the driver waits on the thread that calls it.</summary>
    internal virtual bool IsSynchronous => false;

    /// <summary>How long one command may take, in seconds; null: as the driver has it.</summary>
    internal virtual int? CommandSeconds => null;

    /// <summary>True when a transaction that writes has the whole database to itself: no renewal gets in, and no takeover either.</summary>
    internal virtual bool HasOneWriter => false;

    /// <summary>True when transactions at a level above read committed fail on rows that were changed since they began.</summary>
    internal virtual bool HasSnapshots => false;

    /// <summary>Deletes at most so many rows that have expired; null: there is no way to say it that all databases know.</summary>
    internal virtual string? Purge(RecordNames names, int max) => null;

    internal static string DayOf(string micros) => $"({micros}) / {MicrosOfDay}";

    /// <exception cref="IdempotencyStoreException">The provider is not known, and the options say no clock.</exception>
    internal static RecordDialect Of(string? provider, EntityFrameworkIdempotencyOptions options) => provider switch
    {
        _ when options.ServerClock is { } clock => new PortableDialect(clock),
        "Npgsql.EntityFrameworkCore.PostgreSQL" => new PostgreSqlDialect(),
        SqliteProvider => new SqliteDialect(),
        _ => throw new IdempotencyStoreException(
            IdempotencyStoreFault.Misconfigured,
            $"How the database of {provider ?? "this context"} tells the time is not known here: set {nameof(EntityFrameworkIdempotencyOptions)}."
            + $"{nameof(EntityFrameworkIdempotencyOptions.ServerClock)}."),
    };
}
