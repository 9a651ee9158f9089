using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Controllers;

namespace Resilience.Idempotency;

/// <summary>Notes whether any code of an endpoint has run: a request that could not be bound to its parameters (400) has done nothing, and does not
/// use its key up. Metadata of endpoints that are watched.</summary>
internal sealed class BeginningWatch
{
    private static readonly BeginningWatch Mark = new();

    /// <summary>Watches a delegate with parameters, by a filter around all others; a plain <see cref="RequestDelegate"/> binds nothing.</summary>
    internal static void AddTo(EndpointBuilder endpoint)
    {
        bool isAction = endpoint.Metadata.OfType<ControllerActionDescriptor>().Any();
        if (isAction || endpoint.Metadata.Contains(Mark) || !endpoint.Metadata.OfType<MethodInfo>().Any()) return;
        endpoint.Metadata.Add(Mark);
        endpoint.FilterFactories.Insert(0, static (_, next) => invocation =>
        {
            // Filters run even where binding has failed; the framework tells it by the status alone.
            if (invocation.HttpContext.Response.StatusCode != StatusCodes.Status400BadRequest) Begin(invocation.HttpContext);
            return next(invocation);
        });
    }

    /// <summary>Whether <see cref="IdempotencyFeature.HasBegun"/> is to be believed: actions are watched by the attribute.</summary>
    internal static bool Watches(Endpoint? endpoint) =>
        endpoint is not null && (endpoint.Metadata.GetMetadata<BeginningWatch>() is not null || IsAttributedAction(endpoint));

    private static bool IsAttributedAction(Endpoint endpoint) =>
        endpoint.Metadata.GetMetadata<RequireIdempotencyKeyAttribute>() is not null
        && endpoint.Metadata.GetMetadata<ControllerActionDescriptor>() is not null;

    internal static void Begin(HttpContext context)
    {
        if (context.Features.Get<IdempotencyFeature>() is { } feature) feature.HasBegun = true;
    }
}
