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

    internal static ILogger? LoggerOf(IServiceProvider services) => services.GetService<ILoggerFactory>()?.CreateLogger("Resilience.Idempotency");

    [LoggerMessage(1, LogLevel.Error, "{Endpoint}: a request with an idempotency key was refused: {Mistake}", EventName = "IdempotencyMisconfigured")]
    private static partial void Misconfigured(ILogger logger, string endpoint, string mistake);

    [LoggerMessage(
        2, LogLevel.Warning, "{Endpoint}: callers who are not signed in are refused (401), because their keys would be shared; "
        + "say RequireAuthorization(), set ScopeFor, or AllowSharedScope = true", EventName = "IdempotencyAnonymousCallersRefused")]
    internal static partial void AnonymousCallersRefused(ILogger logger, string endpoint);
}
