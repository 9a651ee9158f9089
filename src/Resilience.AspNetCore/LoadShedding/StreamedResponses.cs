using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Resilience.Idempotency;

namespace Resilience.Overload;

/// <summary>Which responses last as long as the client likes, so that their time says nothing and their place would be held for ever.</summary>
internal static class StreamedResponses
{
    /// <summary>Asked when the response begins, because only then it is true: a request that merely asks for an upgrade or an event stream could pass every
    /// limit if it were believed.</summary>
    internal static bool IsOne(HttpContext context) =>
        context.Response.StatusCode == StatusCodes.Status101SwitchingProtocols
        || (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } && context.Response.StatusCode == StatusCodes.Status200OK)
        || context.Response.ContentType?.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Methods of gRPC of which either side is a stream, and event streams that describe themselves.</summary>
    internal static bool IsDeclared(Endpoint endpoint)
    {
        foreach (object metadata in endpoint.Metadata)
        {
            if (metadata is IProducesResponseTypeMetadata { StatusCode: 200 } produces
                && produces.ContentTypes.Any(static t => t.StartsWith("text/event-stream", StringComparison.OrdinalIgnoreCase))) return true;
            if (GrpcMethods.IsMetadata(metadata)) return !IsUnary(metadata);
        }

        return false;
    }

    /// <summary>By name, because a package that is not there cannot be asked. What cannot be read is no unary method: it is left alone.</summary>
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "Where the property was trimmed, the method is left alone.")]
    private static bool IsUnary(object metadata)
    {
        object? method = metadata.GetType().GetProperty("Method")?.GetValue(metadata);
        return method?.GetType().GetProperty("Type")?.GetValue(method)?.ToString() == "Unary";
    }
}
