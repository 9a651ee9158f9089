using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>Looks at all methods that were mapped when the application is put together, before the server listens; a mistake stops the host, all mistakes in
/// one message.</summary>
internal sealed class GrpcIdempotencyStartup : IStartupFilter
{
    /// <inheritdoc/>
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        next(app);
        OptionProblem[] problems = [.. FindProblems(app.ApplicationServices)];
        if (problems.Length > 0) throw new ResilienceOptionsException(problems);
    };

    private static IEnumerable<OptionProblem> FindProblems(IServiceProvider services)
    {
        GrpcIdempotencyOptions common = MethodProtections.CommonOf(services);
        IReadOnlyList<OptionProblem> wrong = common.FindProblems();
        if (wrong.Count > 0) return wrong;
        (Endpoint Endpoint, GrpcMethodMetadata Metadata)[] mapped =
        [
            .. from endpoint in services.GetService<EndpointDataSource>()?.Endpoints ?? []
               let metadata = endpoint.Metadata.GetMetadata<GrpcMethodMetadata>()
               where metadata is not null
               select (endpoint, metadata),
        ];
        string[] named = [.. mapped.Select(m => common.NameOf(m.Metadata.Method)).OfType<string>()];
        return
        [
            .. common.Methods.Except(named).Order(StringComparer.Ordinal).Select(n => new OptionProblem(
                "grpc-idempotency", nameof(GrpcIdempotencyOptions.RequireKey), n, "a method of a service that is mapped")),
            .. mapped.SelectMany(m => FindProblems(m.Endpoint, m.Metadata, services)),
        ];
    }

    private static IEnumerable<OptionProblem> FindProblems(Endpoint endpoint, GrpcMethodMetadata mapped, IServiceProvider services)
    {
        try
        {
            return MethodProtections.OptionsOf(services, endpoint, mapped) is { } options ? FindProblems(endpoint, mapped.Method, options, services) : [];
        }
        catch (ResilienceOptionsException wrong)
        {
            return wrong.Problems.Select(p => p with { Policy = mapped.Method.FullName });
        }
    }

    private static IEnumerable<OptionProblem> FindProblems(
        Endpoint endpoint, IMethod method, GrpcIdempotencyOptions options, IServiceProvider services)
    {
        string name = method.FullName;
        if (method.Type != MethodType.Unary)
        {
            yield return new(name, nameof(GrpcIdempotencyOptions.RequireKey), "a stream", MethodProtections.MustBeUnary);
            yield break;
        }

        if (services.GetService<IdempotencyGates>() is not { } gates)
            yield return new(name, "AddIdempotency", "not called", "called: builder.Services.AddIdempotency()");
        else if (!gates.Names.Contains(options.Gate)) yield return new(name, nameof(options.Gate), $"'{options.Gate}'", "one that is registered");
        else foreach (OptionProblem problem in KeyedOptions.TermsProblems(options, services)) yield return problem with { Policy = name };
        if (options.EncryptsResponses && services.GetService<IDataProtectionProvider>() is null)
            yield return new(name, nameof(options.EncryptsResponses), "true", "false, or services.AddDataProtection() must be said");
        if (options.ScopeFor is not null || options.AllowSharedScope) yield break;
        if (!SignIn.IsPossible(services) || endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            yield return new(name, nameof(options.ScopeFor), "null", $"set, because any caller can call it: {Callers.ScopeMissing}");
        else if (!SignIn.IsAskedFor(endpoint, services) && GrpcIdempotencyLog.LoggerOf(services) is { } logger)
            GrpcIdempotencyLog.AnonymousCallersRejected(logger, name);
    }
}
