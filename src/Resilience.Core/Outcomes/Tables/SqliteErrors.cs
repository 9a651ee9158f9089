using System.Globalization;
using static Resilience.Transports.TransportRow;

namespace Resilience.Transports;

/// <summary>What the result codes of SQLite mean, primary and extended.</summary>
public static class SqliteErrors
{
    /// <summary>The table. A primary code stands for all extended ones that have no row of their own.</summary>
    public static TransportTable All { get; } = new(
        "SQLite",
        Group(TransportTable.NotCounted, Repeatability.Always, "another connection has the lock: nothing was done",
            "5 SQLITE_BUSY", "6 SQLITE_LOCKED", "262 SQLITE_LOCKED_SHAREDCACHE", "15 SQLITE_PROTOCOL"),
        Group(TransportTable.NotCounted, Repeatability.Always, "what was read is old by now: repeat the whole transaction", "517 SQLITE_BUSY_SNAPSHOT"),
        Group(TransportTable.NotCounted, Repeatability.IfSafe, "we are short of memory", "7 SQLITE_NOMEM"),
        Group(Verdict.Failure, Repeatability.IfSafe, "", "10 SQLITE_IOERR", "14 SQLITE_CANTOPEN"),
        Group(Classification.Permanent, Repeatability.Never, "", "13 SQLITE_FULL", "11 SQLITE_CORRUPT", "26 SQLITE_NOTADB"),
        Group(Verdict.Ignored, Repeatability.Never, "the request or the data are wrong, not the file",
            "19 SQLITE_CONSTRAINT", "1 SQLITE_ERROR", "20 SQLITE_MISMATCH", "25 SQLITE_RANGE", "8 SQLITE_READONLY", "18 SQLITE_TOOBIG",
            "21 SQLITE_MISUSE", "23 SQLITE_AUTH"));

    private static readonly Dictionary<string, TransportRow> Rows = All.ByCode();

    /// <summary>The row for a code; null: the table has none.</summary>
    /// <param name="code">An extended result code, or a primary one.</param>
    public static TransportRow? Find(int code) => Row(code) ?? Row(code & 0xFF);

    /// <summary>What the table says of a code; null: nothing.</summary>
    /// <param name="code">An extended result code, or a primary one.</param>
    public static Classification? Judge(int code) => Find(code)?.Classification;

    private static TransportRow? Row(int code) => Rows.GetValueOrDefault(code.ToString(CultureInfo.InvariantCulture));
}
