using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Idempotency;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The middleware form.</summary>
public static class IdempotencyApplicationBuilderExtensions
{
    /// <summary>All requests for which <paramref name="appliesTo"/> holds are executed once for each idempotency key. Put it behind
    /// authentication, authorization and rate limiting. Endpoints that have options of their own keep them.</summary>
    /// <param name="app">The application.</param>
    /// <param name="appliesTo">Default: requests to endpoints with <see cref="IIdempotencyKeyMetadata"/>, but methods of gRPC.</param>
    /// <exception cref="ArgumentNullException"><paramref name="app"/> is null.</exception>
    /// <exception cref="InvalidOperationException">No idempotency is registered.</exception>
    /// <remarks>A replay stands in front of everything that comes after it. With authentication, authorization or the check against forgery
    /// after it the host does not start; an endpoint whose authorization has not been asked is not answered (500).</remarks>
    public static IApplicationBuilder UseIdempotency(this IApplicationBuilder app, Func<HttpContext, bool>? appliesTo = null)
    {
        ArgumentNullException.ThrowIfNull(app);
        Func<HttpContext, bool> applies = appliesTo ?? (context =>
            context.GetEndpoint() is { } endpoint && endpoint.Metadata.GetMetadata<IIdempotencyKeyMetadata>() is not null && !GrpcMethods.IsOne(endpoint));
        IServiceProvider services = app.ApplicationServices;
        IdempotencyMiddlewares all = services.GetService<IdempotencyMiddlewares>()
            ?? throw new InvalidOperationException(IdempotencyEndpoints.NotRegistered);
        all.Add(app, hasOwnCondition: appliesTo is not null);
        Lazy<IdempotencyEndpointFilter> common = new(() => IdempotencyEndpoints.ProtectionOf(services, null));
        return app.Use(next => context =>
        {
            if (!applies(context)) return next(context);
            IIdempotencyKeyMetadata? endpoint = context.GetEndpoint()?.Metadata.GetMetadata<IIdempotencyKeyMetadata>();
            if (IdempotencyMiddlewares.FindUnaskedCheck(context) is { } mistake)
                return IdempotencyProblems.MisconfiguredAsync(context, new(), mistake);
            return IdempotencyEndpoints.InvokeAsync(
                context, () => endpoint is null ? common.Value : IdempotencyEndpoints.ProtectionOf(services, endpoint), c => next(c));
        });
    }
}
