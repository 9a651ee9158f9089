using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience;

namespace Resilience
{
    /// <summary>Finds options and metadata.</summary>
    internal static class IdempotencyEndpoints
    {
        internal static IdempotencyEndpointOptions OptionsOf(IServiceProvider services)
        {
            IdempotencyEndpointOptions options = services.GetService<IOptions<IdempotencyEndpointOptions>>()?.Value ?? new();
            options.ThrowIfInvalid();
            return options;
        }

        internal static IdempotencyGate GateOf(IServiceProvider services) => services.GetService<IdempotencyGate>()
            ?? throw new InvalidOperationException("No idempotency is registered: say builder.Services.AddIdempotency().");

        /// <summary>The options of one endpoint: its own, or those of the application, with what an attribute says of them.</summary>
        /// <exception cref="ResilienceOptionsException">Options of the endpoint's own are out of range.</exception>
        internal static IdempotencyEndpointOptions OptionsOf(IIdempotencyKeyMetadata? endpoint, IdempotencyEndpointOptions common)
        {
            if (endpoint?.Options is { } own)
            {
                own.ThrowIfInvalid();
                return own;
            }

            if (endpoint is not RequireIdempotencyKeyAttribute attribute || attribute.IsRequired == common.IsRequired) return common;
            IdempotencyEndpointOptions changed = common.Copy();
            changed.IsRequired = attribute.IsRequired;
            return changed;
        }

        /// <summary>What <c>RequireIdempotencyKey()</c> says; the options are made when somebody asks, when the application stands.</summary>
        internal sealed class Metadata(IServiceProvider services, Action<IdempotencyEndpointOptions>? configure) : IIdempotencyKeyMetadata
        {
            private readonly Lazy<IdempotencyEndpointOptions> _options = new(() =>
            {
                IdempotencyEndpointOptions options = OptionsOf(services).Copy();
                configure?.Invoke(options);
                options.ThrowIfInvalid();
                return options;
            });

            public IdempotencyEndpointOptions Options => _options.Value;
        }
    }
}

namespace Microsoft.AspNetCore.Builder
{
    /// <summary>Endpoints that are executed once for each idempotency key.</summary>
    public static class IdempotencyEndpointConventionBuilderExtensions
    {
        /// <summary>Requests to these endpoints are executed once for each idempotency key; a repeated one receives the first response. GET, HEAD,
        /// OPTIONS and TRACE are left alone.</summary>
        /// <param name="builder">An endpoint, or a group of them.</param>
        /// <param name="configure">Changes the application's options for these endpoints.</param>
        /// <remarks>Stands right before the endpoint, behind every middleware, whatever their order. Needs <c>services.AddIdempotency()</c>.</remarks>
        /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
        public static TBuilder RequireIdempotencyKey<TBuilder>(this TBuilder builder, Action<IdempotencyEndpointOptions>? configure = null)
            where TBuilder : IEndpointConventionBuilder
        {
            ArgumentNullException.ThrowIfNull(builder);
            builder.Add(endpoint =>
            {
                endpoint.Metadata.Add(new IdempotencyEndpoints.Metadata(endpoint.ApplicationServices, configure));
                foreach (int status in IdempotencyProblems.Statuses)
                    endpoint.Metadata.Add(new ProducesResponseTypeMetadata(status, typeof(Mvc.ProblemDetails), ["application/problem+json"]));
            });
            builder.Finally(endpoint =>
            {
                if (endpoint.RequestDelegate is not { } inner) return;
                IServiceProvider services = endpoint.ApplicationServices;
                IIdempotencyKeyMetadata metadata = endpoint.Metadata.OfType<IIdempotencyKeyMetadata>().Last();
                Lazy<IdempotencyEndpoint> protection = new(() => new(
                    IdempotencyEndpoints.GateOf(services), IdempotencyEndpoints.OptionsOf(metadata, IdempotencyEndpoints.OptionsOf(services))));
                endpoint.RequestDelegate = context => protection.Value.InvokeAsync(context, c => inner(c));
            });
            return builder;
        }
    }

    /// <summary>The middleware form.</summary>
    public static class IdempotencyApplicationBuilderExtensions
    {
        /// <summary>All requests for which <paramref name="appliesTo"/> holds are executed once for each idempotency key. Put it behind
        /// authentication, authorization and rate limiting. Endpoints that have options of their own keep them.</summary>
        /// <param name="app">The application.</param>
        /// <param name="appliesTo">Default: requests to endpoints with <see cref="IIdempotencyKeyMetadata"/>.</param>
        /// <exception cref="ArgumentNullException"><paramref name="app"/> is null.</exception>
        /// <exception cref="InvalidOperationException">No idempotency is registered.</exception>
        public static IApplicationBuilder UseIdempotency(this IApplicationBuilder app, Func<HttpContext, bool>? appliesTo = null)
        {
            ArgumentNullException.ThrowIfNull(app);
            Func<HttpContext, bool> applies = appliesTo ?? (context => context.GetEndpoint()?.Metadata.GetMetadata<IIdempotencyKeyMetadata>() is not null);
            IdempotencyGate gate = IdempotencyEndpoints.GateOf(app.ApplicationServices);
            IdempotencyEndpointOptions common = IdempotencyEndpoints.OptionsOf(app.ApplicationServices);
            return app.Use(next => context =>
            {
                if (!applies(context)) return next(context);
                IIdempotencyKeyMetadata? endpoint = context.GetEndpoint()?.Metadata.GetMetadata<IIdempotencyKeyMetadata>();
                return new IdempotencyEndpoint(gate, IdempotencyEndpoints.OptionsOf(endpoint, common)).InvokeAsync(context, c => next(c));
            });
        }
    }
}

namespace Microsoft.AspNetCore.Http
{
    /// <summary>What an endpoint can know of its key.</summary>
    public static class IdempotencyHttpContextExtensions
    {
        /// <summary>The claim of this request: its fence, keys derived from it, its point of no return. Null when it is not protected by a key.</summary>
        /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
        public static IdempotencyClaim? GetIdempotencyClaim(this HttpContext context)
        {
            ArgumentNullException.ThrowIfNull(context);
            return context.Features.Get<IdempotencyFeature>()?.Claim;
        }
    }
}
