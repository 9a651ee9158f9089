using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>What methods with keys have to say to those who run them.</summary>
internal static partial class GrpcIdempotencyLog
{
    internal static void Misconfigured(HttpContext http, string mistake)
    {
        if (LoggerOf(http.RequestServices) is { } logger) Misconfigured(logger, NameOf(http), mistake);
    }

    /// <summary>With the whole id, for <see cref="IdempotencyId.TryParse"/>.</summary>
    internal static void OutcomeUnknown(HttpContext http, IdempotencyId id)
    {
        if (LoggerOf(http.RequestServices) is { } logger) OutcomeUnknown(logger, NameOf(http), id.ToHex());
    }

    internal static void ReconcilingFailed(HttpContext http, IdempotencyId id, Exception error)
    {
        if (LoggerOf(http.RequestServices) is { } logger) ReconcilingFailed(logger, NameOf(http), id.ToHex(), error);
    }

    internal static void AnswerNotKept(HttpContext http, IdempotencyId id, Exception error)
    {
        if (LoggerOf(http.RequestServices) is { } logger) AnswerNotKept(logger, NameOf(http), id.ToHex(), error);
    }

    internal static ILogger? LoggerOf(IServiceProvider services) => SafeLogger.Of(services.GetService<ILoggerFactory>(), "Resilience.Idempotency");

    private static string NameOf(HttpContext http) => http.Request.Path.Value ?? "";

    [LoggerMessage(41, LogLevel.Error, "{Method}: a call with an idempotency key was rejected: {Mistake}", EventName = "GrpcIdempotencyMisconfigured")]
    internal static partial void Misconfigured(ILogger logger, string method, string mistake);

    [LoggerMessage(
        42, LogLevel.Warning, "{Method}: callers who are not signed in are rejected (UNAUTHENTICATED), because their keys would be shared; "
        + "call RequireAuthorization(), set ScopeFor, or AllowSharedScope = true", EventName = "GrpcAnonymousCallersRejected")]
    internal static partial void AnonymousCallersRejected(ILogger logger, string method);

    [LoggerMessage(
        43, LogLevel.Warning, "{Method}: the outcome of an earlier call with the same key is unknown; its record is {Id}. "
        + "Find out what happened, and record it with IdempotencyGate.ResolveAsync", EventName = "GrpcOutcomeUnknown")]
    internal static partial void OutcomeUnknown(ILogger logger, string method, string id);

    [LoggerMessage(
        44, LogLevel.Error, "{Method}: the reconciliation of an earlier call (record {Id}) failed; its outcome stays unknown",
        EventName = "GrpcReconcilingFailed")]
    internal static partial void ReconcilingFailed(ILogger logger, string method, string id, Exception error);

    [LoggerMessage(
        45, LogLevel.Error, "{Method}: an answer could not be written down (record {Id}); it is recorded that the call was carried out, without it",
        EventName = "GrpcAnswerNotKept")]
    internal static partial void AnswerNotKept(ILogger logger, string method, string id, Exception error);
}
