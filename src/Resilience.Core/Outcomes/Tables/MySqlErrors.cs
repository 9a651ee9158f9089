using System.Globalization;
using static Resilience.Transports.TransportRow;

namespace Resilience.Transports;

/// <summary>What the error numbers of MySQL and MariaDB mean where their SQLSTATE says nothing (<c>HY000</c>) or too little. One line binds them to the
/// exception of a driver, which stands before the SQLSTATE that the defaults read.</summary>
/// <example><code>
/// builder.Classify(rules => rules.On&lt;MySqlException>(e => MySqlErrors.Judge(e.Number)));
/// </code></example>
public static class MySqlErrors
{
    /// <summary>The table.</summary>
    public static TransportTable All { get; } = new(
        "MySQL",
        Group(TransportTable.NotCounted, Repeatability.Always, "lost against another transaction, rolled back",
            "1213 deadlock", "1614 deadlock of a distributed transaction"),
        Group(TransportTable.NotCounted, Repeatability.Always, "only the statement was rolled back: repeat the whole transaction",
            "1205 lock wait timeout", "3572 lock not available at once"),
        Group(Verdict.Failure, Repeatability.Always, "no connection was made",
            "1040 too many connections", "1042 cannot connect", "1203 too many connections of the user", "1226 limit of the user"),
        Group(Verdict.Failure, Repeatability.IfSafe, "the connection is lost, and with it the answer",
            "2006 server has gone away", "2013 connection lost during the query", "1053 server shuts down", "1927 connection was killed"),
        Group(Classification.Permanent, Repeatability.Never, "the server's own limit for statements, or an operator",
            "1317 query interrupted", "1969 statement took too long", "3024 statement took too long"),
        Group(Classification.Permanent, Repeatability.Never, "no room", "1021 disk full", "1114 table full"),
        Group(Verdict.Ignored, Repeatability.Never, "the request or the data are wrong, not the server",
            "1062 duplicate", "1451 parent of a row", "1452 no parent of the row", "1064 not understood"));

    private static readonly Dictionary<string, TransportRow> Rows = All.ByCode();

    /// <summary>The row for a number; null: the table has none, and the SQLSTATE decides.</summary>
    public static TransportRow? Find(int number) => Rows.GetValueOrDefault(number.ToString(CultureInfo.InvariantCulture));

    /// <summary>What the table says of a number; null: nothing, and the SQLSTATE decides.</summary>
    public static Classification? Judge(int number) => Find(number)?.Classification;
}
