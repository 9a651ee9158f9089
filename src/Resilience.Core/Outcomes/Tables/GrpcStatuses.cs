using System.Globalization;
using static Resilience.Transports.TransportRow;

namespace Resilience.Transports;

/// <summary>What the statuses of gRPC mean, where neither the caller nor a policy has cancelled the call. A server that pushes back
/// (<c>grpc-retry-pushback-ms</c>) overrides what is said of repeating.</summary>
public static class GrpcStatuses
{
    private const int DeadlineExceeded = 4, Internal = 13, Unavailable = 14;

    private static readonly TransportRow OwnDeadline = new(
        "4", "DEADLINE_EXCEEDED", "the time of the attempt is over", Verdict.Failure, Repeatability.IfSafe, "");

    private static readonly TransportRow Broken = new("13", "INTERNAL", "the transport broke", Verdict.Failure, Repeatability.IfSafe, "");

    private static readonly TransportRow NotConnected = new(
        "14", "UNAVAILABLE", "no connection was made", Classification.Untouched, Repeatability.Always, "");

    /// <summary>The table. Of two rows for a code, one has a condition, which is a <see cref="GrpcOrigin"/>.</summary>
    public static TransportTable All { get; } = new(
        "gRPC",
        Group(Verdict.Success, Repeatability.Never, "", "0 OK"),
        Group(Verdict.Failure, Repeatability.IfSafe, "the server or a proxy reset the stream: the caller did not cancel", "1 CANCELLED"),
        Group(Verdict.Failure, Repeatability.IfSafe, "the 500 of gRPC: so a server answers whose code threw", "2 UNKNOWN"),
        Group(Verdict.Ignored, Repeatability.Never, "",
            "3 INVALID_ARGUMENT", "5 NOT_FOUND", "6 ALREADY_EXISTS", "7 PERMISSION_DENIED", "9 FAILED_PRECONDITION", "11 OUT_OF_RANGE", "12 UNIMPLEMENTED"),
        [OwnDeadline],
        Group(Classification.Permanent, Repeatability.Never, "the caller's deadline, or one that the server knows: no time is left", "4 DEADLINE_EXCEEDED"),
        Group(Classification.Permanent with { Counts = false, IsOverload = true }, Repeatability.Never,
            "repeated only where the server says when: the client itself says it of a message that is too large", "8 RESOURCE_EXHAUSTED"),
        Group(Verdict.Ignored, Repeatability.Never, "a conflict: the caller reads again, changes and writes", "10 ABORTED"),
        [Broken],
        Group(Classification.Permanent, Repeatability.Never, "", "13 INTERNAL", "15 DATA_LOSS"),
        [NotConnected],
        Group(Classification.Overloaded, Repeatability.IfSafe, "it is also said of connections that broke after the request was sent", "14 UNAVAILABLE"),
        Group(Verdict.Ignored, Repeatability.Never, "new credentials help, and not the same call", "16 UNAUTHENTICATED"));

    private static readonly Dictionary<string, TransportRow> Rows = All.ByCode();

    /// <summary>The row for a status; null: the table has none.</summary>
    /// <param name="code">The status code: 14 is <c>UNAVAILABLE</c>.</param>
    /// <param name="origin">Where the status comes from.</param>
    public static TransportRow? Find(int code, GrpcOrigin origin = GrpcOrigin.Server) => (code, origin) switch
    {
        (DeadlineExceeded, GrpcOrigin.AttemptDeadline) => OwnDeadline,
        (Internal, GrpcOrigin.Transport or GrpcOrigin.NoConnection) => Broken,
        (Unavailable, GrpcOrigin.NoConnection) => NotConnected,
        _ => Rows.GetValueOrDefault(code.ToString(CultureInfo.InvariantCulture)),
    };

    /// <summary>What the table says of a status; null: nothing.</summary>
    /// <param name="code">The status code: 14 is <c>UNAVAILABLE</c>.</param>
    /// <param name="origin">Where the status comes from.</param>
    public static Classification? Judge(int code, GrpcOrigin origin = GrpcOrigin.Server) => Find(code, origin)?.Classification;
}
