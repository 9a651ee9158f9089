using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Http;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>Unary methods with an idempotency key are executed once for each key; a repeated call receives the first answer, with its status and trailers.
/// Holds no state of a call. Thread-safe.</summary>
/// <remarks>
/// <para><c>services.AddGrpc().AddIdempotency()</c> puts it innermost of the interceptors of all services: authorization, of ASP.NET Core and in interceptors,
/// stands around it. Interceptors of one service stand inside, and run once.</para>
/// <para>The method receives a token that its client does not cancel, neither by leaving nor by its deadline: what has begun runs to its end, because its
/// outcome is what the client comes back for. It is cancelled when the claim is lost and by the request timeout of the endpoint.</para>
/// </remarks>
public sealed class IdempotencyInterceptor : Interceptor
{
    private readonly MethodProtections _protections;

    /// <summary>Made by the container.</summary>
    /// <param name="services">Those of the application.</param>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public IdempotencyInterceptor(IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(services);
        _protections = new(services);
    }

    /// <inheritdoc/>
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(continuation);
        HttpContext http = context.GetHttpContext();
        if (Find(http) is not { } protection || http.Features.Get<IIdempotencyFeature>() is not null) return continuation(request, context);
        return protection.Method is Method<TRequest, TResponse> method
            ? new KeyedCall<TRequest, TResponse>(protection, method, request, context, http, continuation).RunAsync()
            : throw GrpcProblems.Misconfigured(http, "its messages are not of the types that were mapped");
    }

    /// <inheritdoc/>
    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        ThrowIfProtected(context);
        return continuation(requestStream, context);
    }

    /// <inheritdoc/>
    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        ThrowIfProtected(context);
        return continuation(request, responseStream, context);
    }

    /// <inheritdoc/>
    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        ThrowIfProtected(context);
        return continuation(requestStream, responseStream, context);
    }

    private MethodProtection? Find(HttpContext http) =>
        http.GetEndpoint() is { } endpoint && endpoint.Metadata.GetMetadata<GrpcMethodMetadata>() is { } mapped
            ? _protections.Of(endpoint, mapped, http)
            : null;

    /// <summary>The check at the start has said so before, for all methods that were mapped by then.</summary>
    private void ThrowIfProtected(ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        HttpContext http = context.GetHttpContext();
        if (Find(http) is not null) throw GrpcProblems.Misconfigured(http, "a stream requires a key, and must be " + MethodProtections.MustBeUnary);
    }
}
