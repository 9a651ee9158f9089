using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>What endpoints with keys have to say to those who run them.</summary>
internal static partial class IdempotencyLog
{
    internal static void Misconfigured(HttpContext context, string mistake)
    {
        if (LoggerOf(context.RequestServices) is { } logger) Misconfigured(logger, context.GetEndpoint()?.DisplayName ?? context.Request.Path, mistake);
    }

    /// <summary>With the whole id, for <see cref="IdempotencyId.TryParse"/>.</summary>
    internal static void OutcomeUnknown(HttpContext context, IdempotencyId id)
    {
        if (LoggerOf(context.RequestServices) is { } logger) OutcomeUnknown(logger, context.GetEndpoint()?.DisplayName ?? context.Request.Path, id.ToHex());
    }

    internal static void ReconcilingFailed(HttpContext context, IdempotencyId id, Exception error)
    {
        if (LoggerOf(context.RequestServices) is { } logger)
            ReconcilingFailed(logger, context.GetEndpoint()?.DisplayName ?? context.Request.Path, id.ToHex(), error);
    }

    internal static ILogger? LoggerOf(IServiceProvider services) => services.GetService<ILoggerFactory>()?.CreateLogger("Resilience.Idempotency");

    [LoggerMessage(1, LogLevel.Error, "{Endpoint}: a request with an idempotency key was refused: {Mistake}", EventName = "IdempotencyMisconfigured")]
    private static partial void Misconfigured(ILogger logger, string endpoint, string mistake);

    [LoggerMessage(
        2, LogLevel.Warning, "{Endpoint}: callers who are not signed in are refused (401), because their keys would be shared; "
        + "say RequireAuthorization(), set ScopeFor, or AllowSharedScope = true", EventName = "IdempotencyAnonymousCallersRefused")]
    internal static partial void AnonymousCallersRefused(ILogger logger, string endpoint);

    [LoggerMessage(
        3, LogLevel.Warning, "{Endpoint}: nobody knows how an earlier request with the same key ended; its record is {Id}. "
        + "Find out, and say it with IdempotencyGate.ResolveAsync", EventName = "IdempotencyOutcomeUnknown")]
    private static partial void OutcomeUnknown(ILogger logger, string endpoint, string id);

    [LoggerMessage(
        4, LogLevel.Error, "{Endpoint}: to find out how an earlier request ended (record {Id}) has failed; its outcome stays unknown",
        EventName = "IdempotencyReconcilingFailed")]
    private static partial void ReconcilingFailed(ILogger logger, string endpoint, string id, Exception error);
}
