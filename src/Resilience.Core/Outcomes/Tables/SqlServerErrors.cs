using System.Globalization;
using static Resilience.Transports.TransportRow;

namespace Resilience.Transports;

/// <summary>What the error numbers of SQL Server and Azure SQL mean, which have no SQLSTATE. Negative numbers and small ones are the client's own or
/// those of the operating system.</summary>
public static class SqlServerErrors
{
    private const string Opening = "while a connection is opened";
    private static readonly Classification Throttled = Classification.Throttled();

    private static readonly TransportRow OpeningTimeout = new("-2", "timeout", Opening, Verdict.Failure, Repeatability.Always, "nothing was executed");

    /// <summary>The table. <c>*</c> is for all numbers that have no row of their own.</summary>
    public static TransportTable All { get; } = new(
        "SQL Server",
        Group(TransportTable.NotCounted, Repeatability.Always, "lost against another transaction, rolled back",
            "1205 deadlock", "3960 snapshot conflict", "3966 version was removed"),
        Group(TransportTable.NotCounted with { RetryAfter = TimeSpan.FromMilliseconds(1) }, Repeatability.Always,
            "lost against another transaction of memory-optimized tables, rolled back: passes in a moment", "41301", "41302", "41305", "41325", "41839"),
        Group(TransportTable.NotCounted, Repeatability.Always, "only the statement was rolled back: repeat the whole transaction", "1222 lock timeout"),
        Group(Throttled with { RetryAfter = TimeSpan.FromSeconds(10) }, Repeatability.Always, "the service is busy, and asks for ten seconds", "40501"),
        Group(Throttled, Repeatability.Always, "not executed: a limit of the service or of its resources",
            "10928", "10929", "10930", "10936", "40642", "40648", "40675", "40890", "40903", "41823", "41840", "45156", "45157", "45161", "45182", "45319",
            "49918", "49919", "49920", "49977", "8645", "8651", "17889"),
        [OpeningTimeout],
        Group(Verdict.Failure, Repeatability.Always, "no session was opened",
            "4060 database cannot be opened", "4221", "40613 database not available", "42108", "42109", "49802", "233 closed before login",
            "10060 no connection in time", "10061 connection refused", "11001 host not known", "-1 no connection", "2 server not found", "53 server not found"),
        Group(Verdict.Failure, Repeatability.IfSafe, "the connection is lost, and with it the answer",
            "20", "64", "121", "258 no answer in time", "10053", "10054", "40143", "40197", "40540", "596 session was killed"),
        Group(Verdict.Failure, Repeatability.IfSafe, "it may have been carried out all the same", "-2 timeout"),
        Group(Verdict.Failure, Repeatability.IfSafe, "the server itself says that another attempt may help",
            "203", "539", "601", "615", "617", "669", "921", "926", "927", "941", "952", "982", "988", "997", "1203", "1204", "1215", "1216", "1221", "1232",
            "1404", "1413", "1421", "1438", "1532", "1533", "1534", "1535", "1807", "2021", "2816", "3429", "3635", "3935", "3941", "3947", "3948", "3950",
            "3953", "3957", "3980", "4117", "4184", "5280", "5529", "6292", "7951", "8628", "9020", "9515", "9985", "10922", "11539", "14355", "14817",
            "14868", "14906", "16528", "16554", "16555", "17065", "17066", "17067", "17197", "18401", "18858", "19413", "19416", "19494", "20041", "21503",
            "22225", "22226", "22335", "22353", "22355", "22358", "22427", "22430", "22491", "22493", "22498", "22754", "22758", "22759", "22760", "22984",
            "25003", "25738", "25740", "30080", "30085", "33123", "35216", "35218", "35256", "35293", "37202", "37327", "39025", "39108", "39110", "39151",
            "39152", "40106", "40189", "40623", "40671", "40918", "40938", "41339", "41383", "41614", "41619", "41640", "41700", "41701", "42029", "45153",
            "45179", "45547", "47132", "47137", "47139", "49510", "49983"),
        Group(Verdict.Ignored, Repeatability.Never, "the request, the data or the login are wrong, not the server",
            "2627 duplicate", "2601 duplicate", "547 constraint", "515 no value", "8152 too long", "2628 too long",
            "208 no such object", "18456 login failed", "*"));

    private static readonly Dictionary<string, TransportRow> Rows = All.ByCode();

    /// <summary>The row for a number.</summary>
    /// <param name="number">The number of the error.</param>
    /// <param name="isOpening">Whether it is known that a connection was being opened, so that nothing was executed.</param>
    public static TransportRow Find(int number, bool isOpening = false) =>
        isOpening && number == -2 ? OpeningTimeout : Rows.GetValueOrDefault(number.ToString(CultureInfo.InvariantCulture)) ?? Rows["*"];

    /// <summary>What the table says of a number. Those that no list has are <see cref="Verdict.Ignored"/>: the server answered, and the request was
    /// wrong.</summary>
    /// <param name="number">The number of the error.</param>
    /// <param name="isOpening">Whether it is known that a connection was being opened, so that nothing was executed.</param>
    public static Classification Judge(int number, bool isOpening = false) => Find(number, isOpening).Classification;
}
