using System.Data.Common;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
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

        internal const string NotRegistered = "no idempotency is registered: say builder.Services.AddIdempotency()";

        /// <summary>The protection of one endpoint.</summary>
        /// <exception cref="InvalidOperationException">No idempotency is registered, or no gate of the name that the endpoint asks for.</exception>
        /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
        internal static IdempotencyEndpointFilter ProtectionOf(IServiceProvider services, IIdempotencyKeyMetadata? endpoint)
        {
            IdempotencyEndpointOptions options = OptionsOf(endpoint, OptionsOf(services));
            IdempotencyGates gates = services.GetService<IdempotencyGates>() ?? throw new InvalidOperationException(NotRegistered);
            CallerQuota quota = services.GetRequiredService<CallerQuotas>().Of(options.Gate);
            return new(gates.Get(options.Gate).For(options.Terms), options, options.EncryptsResponses ? CipherOf(services) : null, quota);
        }

        private static PayloadCipher CipherOf(IServiceProvider services) => new(
            services.GetService<IDataProtectionProvider>()
            ?? throw new InvalidOperationException("responses are to be encrypted, and there is no data protection: say builder.Services.AddDataProtection()"));

        /// <summary>Protects a request, or answers that the service made a mistake.</summary>
        internal static Task InvokeAsync(HttpContext context, Func<IdempotencyEndpointFilter> find, Func<HttpContext, Task> next)
        {
            IdempotencyEndpointFilter protection;
            try
            {
                protection = find();
            }
            catch (Exception mistake) when (mistake is InvalidOperationException or ResilienceOptionsException)
            {
                return IdempotencyProblems.MisconfiguredAsync(context, new(), SafeCalls.MessageOf(mistake));
            }

            return protection.InvokeAsync(context, next);
        }

        /// <summary>The options of one endpoint: its own, or those of the application, with what an attribute says of them.</summary>
        /// <exception cref="ResilienceOptionsException">Options of the endpoint's own are out of range.</exception>
        internal static IdempotencyEndpointOptions OptionsOf(IIdempotencyKeyMetadata? endpoint, IdempotencyEndpointOptions common)
        {
            if (endpoint?.Options is { } own)
            {
                own.ThrowIfInvalid();
                return own;
            }

            return endpoint is RequireIdempotencyKeyAttribute attribute ? attribute.Change(common) : common;
        }

        /// <summary>What <c>RequireIdempotencyKey()</c> says; the options are made when they are asked for, when the application stands.</summary>
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

    /// <summary>The middleware form.</summary>
    public static class IdempotencyApplicationBuilderExtensions
    {
        /// <summary>All requests for which <paramref name="appliesTo"/> holds are executed once for each idempotency key. Put it behind
        /// authentication, authorization and rate limiting. Endpoints that have options of their own keep them.</summary>
        /// <param name="app">The application.</param>
        /// <param name="appliesTo">Default: requests to endpoints with <see cref="IIdempotencyKeyMetadata"/>.</param>
        /// <exception cref="ArgumentNullException"><paramref name="app"/> is null.</exception>
        /// <exception cref="InvalidOperationException">No idempotency is registered.</exception>
        /// <remarks>A replay stands in front of everything that comes after it. With authentication, authorization or the check against forgery
        /// after it the host does not start; an endpoint whose authorization has not been asked is not answered (500).</remarks>
        public static IApplicationBuilder UseIdempotency(this IApplicationBuilder app, Func<HttpContext, bool>? appliesTo = null)
        {
            ArgumentNullException.ThrowIfNull(app);
            Func<HttpContext, bool> applies = appliesTo ?? (context => context.GetEndpoint()?.Metadata.GetMetadata<IIdempotencyKeyMetadata>() is not null);
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

        /// <summary>Records in a transaction of the endpoint's own that the request was carried out, with its response: rows and response are committed
        /// together, or neither is. Make it the last statement; then commit, call <see cref="IdempotencyClaim.Committed"/>, and return the same
        /// response. It is not recorded again, and duplicates receive it.</summary>
        /// <param name="context">The request.</param>
        /// <param name="transaction">An open transaction on the database of the store.</param>
        /// <param name="response">The response. It is written into memory here, and not sent.</param>
        /// <param name="cancellationToken">Ends the wait; roll back then.</param>
        /// <returns>Kept, when you may commit; lost, when another claim took the place of this one: roll back, and return anything. The caller receives
        /// what the other one recorded.</returns>
        /// <remarks>If the commit throws, let it come out. If the commit is not reported, the database is asked: a response that was rolled back
        /// is not sent as a success (503 <c>not-committed</c>), and while the database does not answer it is 503 <c>outcome-pending</c>; both may be
        /// repeated with the same key.</remarks>
        /// <exception cref="ArgumentNullException">An argument is null.</exception>
        /// <exception cref="InvalidOperationException">The request is not protected by a key, or the claim was ended before.</exception>
        /// <exception cref="NotSupportedException">The store has no transactions.</exception>
        /// <exception cref="IdempotencyStoreException">The store did not take it: roll back.</exception>
        public static async ValueTask<IdempotencyFinish> CompleteIdempotencyKeyInAsync(
            this HttpContext context, DbTransaction transaction, IResult response, CancellationToken cancellationToken = default)
        {
            ArgumentNullException.ThrowIfNull(context);
            ArgumentNullException.ThrowIfNull(response);
            IdempotencyFeature feature = context.Features.Get<IdempotencyFeature>()
                ?? throw new InvalidOperationException("This request is not protected by an idempotency key.");
            byte[] record = await feature.Endpoint.EncodeAsync(context, feature.Claim.Id, response).ConfigureAwait(false);
            IdempotencyFinish finish = await feature.Claim
                .CompleteInAsync(transaction, IdempotencyPayloadKind.HttpResponse, record, cancellationToken).ConfigureAwait(false);
            feature.WasLost = finish == IdempotencyFinish.Lost;
            return finish;
        }

        /// <summary>The key of this request with its scope, to derive keys of further calls from (<c>IdempotencyKeyOptions.FromInbound</c>). Null when it is
        /// not protected by a key.</summary>
        /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
        public static IdempotencyKey? GetIdempotencyKey(this HttpContext context)
        {
            ArgumentNullException.ThrowIfNull(context);
            return context.Features.Get<IdempotencyFeature>()?.Key;
        }
    }
}
