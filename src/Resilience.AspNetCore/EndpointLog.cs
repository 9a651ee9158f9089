using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>The log lines of this package. In one class: of several the generator writes the code in an order that changes from build to build, and the
/// same source would not make the same package.</summary>
internal static partial class EndpointLog
{
    [LoggerMessage(1, LogLevel.Error, "{Endpoint}: a request with an idempotency key was rejected: {Mistake}", EventName = "IdempotencyMisconfigured")]
    internal static partial void Misconfigured(ILogger logger, string endpoint, string mistake);

    [LoggerMessage(
        2, LogLevel.Warning, "{Endpoint}: callers who are not signed in are rejected (401), because their keys would be shared; "
        + "call RequireAuthorization(), set ScopeFor, or AllowSharedScope = true", EventName = "IdempotencyAnonymousCallersRejected")]
    internal static partial void AnonymousCallersRejected(ILogger logger, string endpoint);

    [LoggerMessage(
        3, LogLevel.Warning, "{Endpoint}: the outcome of an earlier request with the same key is unknown; its record is {Id}. "
        + "Find out what happened, and record it with IdempotencyGate.ResolveAsync", EventName = "IdempotencyOutcomeUnknown")]
    internal static partial void OutcomeUnknown(ILogger logger, string endpoint, string id);

    [LoggerMessage(
        4, LogLevel.Error, "{Endpoint}: the reconciliation of an earlier request (record {Id}) failed; its outcome stays unknown",
        EventName = "IdempotencyReconcilingFailed")]
    internal static partial void ReconcilingFailed(ILogger logger, string endpoint, string id, Exception error);

    [LoggerMessage(
        5, LogLevel.Error, "{Endpoint}: a response could not be written down (record {Id}); it is recorded that the request was carried out, without it",
        EventName = "IdempotencyResponseNotKept")]
    internal static partial void ResponseNotKept(ILogger logger, string endpoint, string id, Exception error);

    [LoggerMessage(11, LogLevel.Warning, "The live page could not read the state", EventName = "DashboardReadingFailed")]
    internal static partial void PageReadingFailed(ILogger logger, Exception error);

    [LoggerMessage(
        13, LogLevel.Warning, "{User} decided about record {Id} of {Gate} on the live page: {Decision}; this was {Answer}",
        EventName = "DashboardResolved")]
    internal static partial void PageResolved(ILogger logger, string user, string id, string gate, string decision, string answer);

    [LoggerMessage(
        14, LogLevel.Error, "{User} asked about record {Id} of {Gate} on the live page, and the store did not answer", EventName = "DashboardRecordFailed")]
    internal static partial void PageRecordFailed(ILogger logger, string user, string id, string gate, Exception error);

    [LoggerMessage(
        15, LogLevel.Warning, "The live page at {Path} answers 404 to all requests: outside of Development it needs RequireAuthorization(), "
        + "or AllowAnonymousOutsideDevelopment", EventName = "DashboardLocked")]
    internal static partial void PageLocked(ILogger logger, string path);

    [LoggerMessage(12, LogLevel.Warning, "{User} {Action} {Target} on the live page", EventName = "DashboardActed")]
    internal static partial void PageActed(ILogger logger, string user, string action, string target);

    [LoggerMessage(
        21, LogLevel.Debug, "{Endpoint}: the deadline of a request had passed ({Stage})", EventName = "DeadlineExpired")]
    internal static partial void DeadlineExpired(ILogger logger, string endpoint, string stage);
}
