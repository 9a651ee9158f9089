using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>Answers in place of the method: a status, and in the trailers one word that says which, and when the call is worth repeating, if it is.</summary>
/// <remarks>Clients of gRPC honor <c>grpc-retry-pushback-ms</c> whatever the status: a number is the wait after which the same call, with the same key, is sent
/// again; -1 says that no repetition helps.</remarks>
internal static class GrpcProblems
{
    internal const string ProblemTrailer = "idempotency-problem", ReplayedTrailer = "idempotency-replayed", StatusTrailer = "idempotency-status";

    internal const string PushbackTrailer = "grpc-retry-pushback-ms", Never = "-1";

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    internal static RpcException KeyMissing(string header) => Problem(
        StatusCode.InvalidArgument, "key-missing", "An idempotency key is required",
        $"Send a key that is unique to this call, such as a UUID, as {header} in the metadata, and send the same one when you repeat it.");

    internal static RpcException KeyInvalid(string problem) =>
        Problem(StatusCode.InvalidArgument, "key-invalid", "The idempotency key is not valid", $"The key {problem}.");

    internal static RpcException ScopeInvalid() => Problem(
        StatusCode.InvalidArgument, "scope-invalid", "The caller's name is not valid",
        "What says in whose name the call is sent (metadata, a token) has characters that no name may have.");

    internal static RpcException CallerUnknown() => Problem(
        StatusCode.Unauthenticated, "caller-unknown", "A call with an idempotency key needs a caller",
        "Keys belong to the caller who sends them. Sign in, and send the call again.");

    internal static RpcException ReplayForbidden() => Problem(
        StatusCode.PermissionDenied, "replay-forbidden", "The answer of the earlier call may not be seen", "Nothing was carried out.");

    /// <summary>The server's mistake. The client hears that it is one and that repeating does not help; what it is stands in the log.</summary>
    internal static RpcException Misconfigured(HttpContext http, string mistake)
    {
        GrpcIdempotencyLog.Misconfigured(http, mistake);
        return Problem(
            StatusCode.Internal, "misconfigured", "The service is not set up for idempotency keys here",
            "Nothing was carried out. It is a mistake of the service, its log tells which; repeating the call does not help.");
    }

    internal static RpcException TooManyOpen(int max) => Problem(
        StatusCode.ResourceExhausted, "too-many-open", "Too many calls of this caller are open",
        $"At most {Counted(max, "call")} with an idempotency key may be under way at once for one caller. "
            + "Nothing was carried out; repeat it later with the same key.",
        Soon);

    internal static RpcException TooManyKeys(int max, TimeSpan retryAfter) => Problem(
        StatusCode.ResourceExhausted, "too-many-keys", "Too many keys of this caller are kept",
        $"At most {Counted(max, "key")} can be kept for one caller. Nothing was carried out; repeat it with the same key when an older one has expired.",
        retryAfter);

    private static string Counted(int count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? "" : "s")}");

    internal static RpcException NotKept() => Problem(
        StatusCode.Aborted, "response-not-retained", "The call was carried out before", "Its answer could not be kept. It is not carried out again.");

    /// <summary>The method completed its key in a transaction that was rolled back, and answered as if it had been committed.</summary>
    internal static RpcException NotCommitted() => Problem(
        StatusCode.Unavailable, "not-committed", "The call was rolled back", "Nothing was carried out. Repeat it later with the same key.", Soon);

    internal static RpcException OutcomePending() => Problem(
        StatusCode.Unavailable, "outcome-pending", "It is not known yet whether the call was carried out",
        "Repeat it later with the same key: it is never carried out twice.", Soon);

    internal static RpcException Unreadable() => Problem(
        StatusCode.Aborted, "outcome-unreadable", "The stored answer cannot be read",
        "The call was begun before and may have been carried out. It is not begun again; ask for the state of what it was about.");

    internal static RpcException Of(HttpContext http, in IdempotencyResult entry) => entry.Status switch
    {
        IdempotencyStatus.InFlight => Problem(
            StatusCode.Aborted, "in-flight", "The same call is being carried out", "Repeat it later with the same key.", entry.RetryAfter),
        IdempotencyStatus.KeyReused => Problem(
            StatusCode.FailedPrecondition, "key-reused", "The key was used for another call",
            "A key belongs to one call: the same method and message. Use a new key for a new call."),
        IdempotencyStatus.OutcomeUnknown => Problem(
            StatusCode.Aborted, "outcome-unknown", "The outcome of the call is unknown",
            "It was begun before and may have been carried out. It is not begun again; ask for the state of what it was about."),
        IdempotencyStatus.Unreadable => Unreadable(),
        IdempotencyStatus.Stopping => Problem(
            StatusCode.Unavailable, "stopping", "This instance of the service is stopping",
            "Nothing was carried out here. Repeat the call with the same key; another instance takes it.", entry.RetryAfter),
        _ when entry.Error is IdempotencyStoreException { Fault: IdempotencyStoreFault.Misconfigured } mistake =>
            Misconfigured(http, SafeCalls.MessageOf(mistake)),
        _ => Problem(
            StatusCode.Unavailable, "store-unavailable", "Idempotency keys cannot be checked at the moment",
            "Nothing was carried out. Repeat the call later with the same key.", entry.RetryAfter),
    };

    private static RpcException Problem(StatusCode status, string name, string title, string detail, TimeSpan? retryAfter = null)
    {
        Metadata trailers = new() { { ProblemTrailer, name }, { PushbackTrailer, PushbackOf(retryAfter) } };
        return new(new Status(status, $"{title}. {detail}"), trailers);
    }

    /// <summary>As long as an answer can say: some 24 days.</summary>
    private static string PushbackOf(TimeSpan? retryAfter) => retryAfter is not { } wait
        ? Never
        : ((int)Math.Clamp(Math.Ceiling(wait.TotalMilliseconds), 0, int.MaxValue)).ToString(CultureInfo.InvariantCulture);
}
