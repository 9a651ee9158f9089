using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.Idempotency;

/// <summary>What endpoints with keys have to say to those who run them.</summary>
internal static class IdempotencyLog
{
    internal static void Misconfigured(HttpContext context, string mistake)
    {
        if (LoggerOf(context.RequestServices) is { } logger) EndpointLog.Misconfigured(logger, NameOf(context), mistake);
    }

    /// <summary>With the whole id, for <see cref="IdempotencyId.TryParse"/>.</summary>
    internal static void OutcomeUnknown(HttpContext context, IdempotencyId id)
    {
        if (LoggerOf(context.RequestServices) is { } logger) EndpointLog.OutcomeUnknown(logger, NameOf(context), id.ToHex());
    }

    internal static void ReconcilingFailed(HttpContext context, IdempotencyId id, Exception error)
    {
        if (LoggerOf(context.RequestServices) is { } logger)
            EndpointLog.ReconcilingFailed(logger, NameOf(context), id.ToHex(), error);
    }

    internal static void ResponseNotKept(HttpContext context, IdempotencyId id, Exception error)
    {
        if (LoggerOf(context.RequestServices) is { } logger) EndpointLog.ResponseNotKept(logger, NameOf(context), id.ToHex(), error);
    }

    private static string NameOf(HttpContext context) => context.GetEndpoint()?.DisplayName ?? context.Request.Path;

    internal static ILogger? LoggerOf(IServiceProvider services) => SafeLogger.Of(services.GetService<ILoggerFactory>(), "Resilience.Idempotency");
}
