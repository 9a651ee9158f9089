using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Idempotency;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Endpoints that are executed once for each idempotency key.</summary>
public static class IdempotencyEndpointConventionBuilderExtensions
{
    /// <summary>Requests to these endpoints are executed once for each idempotency key; a repeated one receives the first response. GET, HEAD,
    /// OPTIONS and TRACE are left alone.</summary>
    /// <param name="builder">An endpoint, or a group of them.</param>
    /// <param name="configure">Changes the application's options for these endpoints.</param>
    /// <remarks>Stands right before the endpoint, behind every middleware, whatever their order. Needs <c>services.AddIdempotency()</c>, and
    /// callers with a name: a missing scope and an unknown gate stop the host at its start.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="InvalidOperationException">It is a group, and no idempotency is registered.</exception>
    public static TBuilder RequireIdempotencyKey<TBuilder>(this TBuilder builder, Action<IdempotencyEndpointOptions>? configure = null)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);

        // A group knows the services now; of a single endpoint they are known when it is built.
        if (builder is IEndpointRouteBuilder { ServiceProvider: { } known } && known.GetService<IdempotencyGates>() is null)
            throw new InvalidOperationException(IdempotencyEndpoints.NotRegistered);
        builder.Add(endpoint =>
        {
            BeginningWatch.AddTo(endpoint);
            endpoint.Metadata.Add(new IdempotencyEndpoints.Metadata(endpoint.ApplicationServices, configure));
            foreach (int status in IdempotencyProblems.Statuses)
                endpoint.Metadata.Add(new ProducesResponseTypeMetadata(status, typeof(Mvc.ProblemDetails), ["application/problem+json"]));
        });
        builder.Finally(endpoint =>
        {
            if (endpoint.RequestDelegate is not { } inner) return;
            IServiceProvider services = endpoint.ApplicationServices;
            IIdempotencyKeyMetadata metadata = endpoint.Metadata.OfType<IIdempotencyKeyMetadata>().Last();
            Lazy<IdempotencyEndpointFilter> protection = new(() => IdempotencyEndpoints.ProtectionOf(services, metadata));
            endpoint.RequestDelegate = context => IdempotencyEndpoints.InvokeAsync(context, () => protection.Value, c => inner(c));
        });
        return builder;
    }
}
