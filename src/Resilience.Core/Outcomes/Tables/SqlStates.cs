using static Resilience.Transports.TransportRow;

namespace Resilience.Transports;

/// <summary>What SQLSTATEs mean: the five characters of the SQL standard with those of PostgreSQL, which MySQL and others share. The defaults judge every
/// <see cref="System.Data.Common.DbException"/> by it that has one.</summary>
/// <remarks>The table says what the server said, and not when: a connection that is lost while a transaction commits leaves its outcome unknown, so
/// only a call that may be made twice is made again.</remarks>
public static class SqlStates
{
    private const string RolledBack = "lost against another transaction, rolled back";
    private const string BeforeCommit = "reported before anything was committed";
    private const string OfRequest = "the request or the data are wrong, not the server";

    /// <summary>The table. <c>08*</c> is for all of the class that have no row of their own.</summary>
    public static TransportTable All { get; } = new(
        "SQLSTATE",
        Group(TransportTable.NotCounted, Repeatability.Always, RolledBack, "40001 serialization failure", "40P01 deadlock", "40000 rolled back"),
        Group(TransportTable.NotCounted, Repeatability.Always, "in use by another session: nothing was done",
            "55P03 lock not available", "55006 object in use", "55000 object not in prerequisite state"),
        Group(Verdict.Failure, Repeatability.Always, BeforeCommit,
            "53000 insufficient resources", "53100 disk full", "53200 out of memory", "53300 too many connections", "53400 limit of configuration", "53*",
            "57P03 cannot connect now", "58000 system error", "58030 input or output error", "58*", "08001 no connection", "08004 connection rejected",
            "HYT01 no connection in time"),
        Group(Verdict.Failure, Repeatability.IfSafe, "the connection is lost, and with it the answer",
            "08000 connection exception", "08003 connection does not exist", "08006 connection failure", "08S01 communication failure", "08*",
            "57P01 shut down by an administrator", "57P02 shut down after a crash", "57P05 session was idle too long", "HYT00 no answer in time"),
        Group(Verdict.Failure, Repeatability.IfSafe, "whether the transaction was committed is unknown: never repeat a write without proof",
            "40003 completion unknown", "08007 resolution unknown"),
        Group(Classification.Permanent, Repeatability.Never,
            "the server's own limit for statements, or an operator: where the caller or a timeout of ours cancelled it, that is what counts",
            "57014 query canceled"),
        Group(Classification.Permanent, Repeatability.Never, "the server says of itself that it is broken", "XX*"),
        Group(Verdict.Ignored, Repeatability.Never, "an earlier statement of the transaction failed", "25P02 transaction has failed"),
        Group(Verdict.Ignored, Repeatability.Never, OfRequest, "22*", "23*", "28*", "3D*", "42*", "*"));

    private static readonly Dictionary<string, TransportRow> Rows = All.ByCode();

    /// <summary>The row for a SQLSTATE; null where there is none, or <c>HY000</c>, which says nothing.</summary>
    public static TransportRow? Find(string? state) =>
        state is not { Length: 5 } || state == "HY000" ? null : Rows.GetValueOrDefault(state) ?? Rows.GetValueOrDefault($"{state[..2]}*") ?? Rows["*"];

    /// <summary>What the table says of a SQLSTATE; null where there is none, or <c>HY000</c>, which says nothing.</summary>
    public static Classification? Judge(string? state) => Find(state)?.Classification;
}
