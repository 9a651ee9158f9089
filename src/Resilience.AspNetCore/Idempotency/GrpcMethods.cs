using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Idempotency;

/// <summary>Endpoints that are methods of gRPC: their status stands behind the body, so they are protected by an interceptor, of another package.</summary>
internal static class GrpcMethods
{
    internal const string NotProtected =
        "protected by the interceptor of gRPC: services.AddGrpc().AddIdempotency(), of the package Resilience.Grpc.AspNetCore, must be said";

    private static readonly Type? Interceptor = Type.GetType("Resilience.Grpc.IdempotencyInterceptor, Resilience.Grpc.AspNetCore");

    /// <summary>By name, because a package that is not there cannot be asked.</summary>
    internal static bool IsOne(Endpoint endpoint)
    {
        foreach (object metadata in endpoint.Metadata)
        {
            if (IsMetadata(metadata)) return true;
        }

        return false;
    }

    internal static bool IsMetadata(object metadata) => metadata.GetType() is { Name: "GrpcMethodMetadata", Namespace: "Grpc.AspNetCore.Server" };

    /// <summary>Whether methods that require a key are protected by what knows how; it checks them too.</summary>
    internal static bool AreProtected(IServiceProvider services) =>
        Interceptor is not null && services.GetService<IServiceProviderIsService>()?.IsService(Interceptor) == true;
}
