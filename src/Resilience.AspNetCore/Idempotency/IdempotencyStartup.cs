using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Looks at everything that was configured about keys (gates, stores, options, endpoints, the order of middleware) when the application is put
/// together, before the server listens; a mistake stops the host, all mistakes in one message.</summary>
internal sealed class IdempotencyStartup(IdempotencyGates gates, IdempotencyMiddlewares middlewares) : IStartupFilter
{
    /// <summary>Found by name and called by <c>AddIdempotency</c>, whose package does not know this one.</summary>
    /// <returns>Tells whether this check will be made, because there is a server.</returns>
    public static Func<IServiceProvider, bool> AddTo(IServiceCollection services)
    {
        services.TryAddSingleton<IdempotencyMiddlewares>();
        services.TryAddSingleton(static provider => new CallerQuotas(provider));
        services.TryAddEnumerable(ServiceDescriptor.Transient<IStartupFilter, IdempotencyStartup>());
        return static provider => provider.GetService<IServiceProviderIsService>()?.IsService(typeof(IServer)) == true;
    }

    /// <inheritdoc/>
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        middlewares.Look();
        next(app);
        middlewares.Look();
        IReadOnlyList<OptionProblem> problems = [.. gates.FindProblems(), .. middlewares.FindProblems(), .. FindProblems(app.ApplicationServices)];
        if (problems.Count > 0) throw new ResilienceOptionsException(problems);
    };

    private IEnumerable<OptionProblem> FindProblems(IServiceProvider services)
    {
        IdempotencyEndpointOptions common = services.GetService<IOptions<IdempotencyEndpointOptions>>()?.Value ?? new();
        IReadOnlyList<OptionProblem> wrong = common.FindProblems();
        IEnumerable<OptionProblem> ofMiddleware = middlewares.HasOwnConditions ? FindProblems("UseIdempotency", common, null, services) : [];
        return [.. wrong, .. ofMiddleware, .. (services.GetService<EndpointDataSource>()?.Endpoints ?? []).SelectMany(e => FindProblems(e, common, services))];
    }

    private IEnumerable<OptionProblem> FindProblems(Endpoint endpoint, IdempotencyEndpointOptions common, IServiceProvider services)
    {
        if (endpoint.Metadata.GetMetadata<IIdempotencyKeyMetadata>() is not { } metadata) return [];
        IReadOnlyList<string> methods = endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? [];
        if (methods.Count > 0 && methods.All(IdempotencyTarget.IsSafe)) return [];
        string name = NameOf(endpoint);
        if (GrpcMethods.IsOne(endpoint) && metadata is RequireIdempotencyKeyAttribute { InTransactionOf: { } context })
            return [new(name, "InTransactionOf", context.Name, "not said of a method of gRPC: complete its key in a transaction of its own")];
        if (GrpcMethods.IsOne(endpoint))
            return GrpcMethods.AreProtected(services) ? [] : [new(name, "RequireIdempotencyKey", "on a method of gRPC", GrpcMethods.NotProtected)];
        try
        {
            IdempotencyEndpointOptions options = IdempotencyEndpoints.OptionsOf(metadata, common);
            return FindProblems(name, options, endpoint, services);
        }
        catch (ResilienceOptionsException wrong)
        {
            return wrong.Problems.Select(p => p with { Policy = name });
        }
    }

    private IEnumerable<OptionProblem> FindProblems(string name, IdempotencyEndpointOptions options, Endpoint? endpoint, IServiceProvider services)
    {
        if (!gates.Names.Contains(options.Gate))
        {
            string known = string.Join(", ", gates.Names.Select(n => n.Length == 0 ? "empty (AddIdempotency())" : $"'{n}'"));
            yield return new(name, nameof(options.Gate), $"'{options.Gate}'", $"one that is registered: {known}");
        }

        else
        {
            foreach (OptionProblem problem in KeyedOptions.TermsProblems(options, services)) yield return problem with { Policy = name };
        }

        if (options.TransactionOf is { } on && !IdempotencyEndpoints.KnowsTransactionsOf(on, services))
        {
            yield return new(
                name, "InTransactionOf", on.Name, $"a type that a store knows transactions of: call UseEntityFrameworkCore<{on.Name}>() for its gate");
        }

        if (options.EncryptsResponses && services.GetService<IDataProtectionProvider>() is null)
            yield return new(name, nameof(options.EncryptsResponses), "true", "false, or services.AddDataProtection() must be said");
        if (options.ScopeFor is not null || options.AllowSharedScope) yield break;
        if (!SignIn.IsPossible(services) || endpoint?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            yield return new(name, nameof(options.ScopeFor), "null", $"set, because any caller can call it: {IdempotencyEndpointFilter.ScopeMissing}");
        else if (endpoint is not null && !SignIn.IsAskedFor(endpoint, services) && IdempotencyLog.LoggerOf(services) is { } logger)
            EndpointLog.AnonymousCallersRejected(logger, name);
    }

    private static string NameOf(Endpoint endpoint)
    {
        if (endpoint is not RouteEndpoint { RoutePattern.RawText: { } path }) return endpoint.DisplayName ?? "an endpoint";
        return $"{string.Join('|', endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? [])} /{path.TrimStart('/')}".TrimStart();
    }
}
