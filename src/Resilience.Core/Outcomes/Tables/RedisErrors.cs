using static Resilience.Transports.TransportRow;

namespace Resilience.Transports;

/// <summary>What the errors of Redis mean, by the word with which the server's message begins; and what a client says that did not get an answer.</summary>
public static class RedisErrors
{
    private const string InScript = "ERR Error running script";
    private static readonly TransportRow TooManyClients = new(
        "ERR", "", "max number of clients reached", Verdict.Failure, Repeatability.Always, "said before anything ran: the server cannot serve now");

    /// <summary>The table: words of the server in capitals, then the states of a command that was not answered. <c>*</c> is for words that have no row of
    /// their own, such as those of a script.</summary>
    public static TransportTable All { get; } = new(
        "Redis",
        Group(Verdict.Failure, Repeatability.Always, TooManyClients.Remark,
            "LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "MISCONF", "NOREPLICAS", "BUSY"),
        [TooManyClients],
        Group(TransportTable.NotCounted, Repeatability.Always, "said before anything ran: the key is elsewhere, or moves", "TRYAGAIN", "MOVED", "ASK"),
        Group(Classification.Permanent, Repeatability.Never, "no room", "OOM"),
        Group(Verdict.Ignored, Repeatability.Never, "the request is wrong, not the server",
            "NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE", "EXECABORT", "NOSCRIPT", "ERR", "*"),
        Group(Verdict.Failure, Repeatability.Always, "the client did not send the command", "WaitingToBeSent", "WaitingInBacklog"),
        Group(Verdict.Failure, Repeatability.IfSafe, "the command may have been carried out", "Sent", "Unknown"),
        Group(Verdict.Ignored, Repeatability.Never, "the client does not send the command", "AuthenticationFailure", "RedisCommandException"));

    private static readonly Dictionary<string, TransportRow> Rows = All.ByCode();

    /// <summary>The row for an error of the server, by its message, or for the name of a state of a command; null: empty.</summary>
    public static TransportRow? Find(string? message)
    {
        if (string.IsNullOrEmpty(message)) return null;
        ReadOnlySpan<char> said = OfCommand(message);
        if (said.StartsWith("ERR max number of clients", StringComparison.Ordinal)) return TooManyClients;
        int end = said.IndexOf(' ');
        return Rows.GetValueOrDefault((end < 0 ? said : said[..end]).ToString()) ?? Rows["*"];
    }

    /// <summary>What the table says of an error of the server, by its message, or of the name of a state of a command; null: it is empty.</summary>
    public static Classification? Judge(string? message) => Find(message)?.Classification;

    /// <summary>Redis 5 and 6 put a sentence about the script before the error of a command in it.</summary>
    private static ReadOnlySpan<char> OfCommand(string message)
    {
        int inner = message.StartsWith(InScript, StringComparison.Ordinal) ? message.LastIndexOf(": -", StringComparison.Ordinal) : -1;
        return inner < 0 ? message : message.AsSpan(inner + 3);
    }
}
