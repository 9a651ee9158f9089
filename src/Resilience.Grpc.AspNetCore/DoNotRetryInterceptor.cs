using Grpc.Core;
using Grpc.Core.Interceptors;
using Resilience.Overload;

namespace Resilience.Grpc;

/// <summary>Tells the request (<see cref="RequestContext"/>) when a method ends with an error that a call of the request has given up on: the answer then
/// carries <c>grpc-retry-pushback-ms: -1</c>. Holds no state. Thread-safe.</summary>
/// <remarks><c>services.AddGrpc().AddRequestDeadlines()</c> adds it to all services. The answer is marked by <c>app.UseRequestDeadlines()</c>.</remarks>
public sealed class DoNotRetryInterceptor : Interceptor
{
    /// <inheritdoc/>
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        return Watched(continuation(request, context));
    }

    /// <inheritdoc/>
    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        return Watched(continuation(requestStream, context));
    }

    /// <inheritdoc/>
    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        try
        {
            await continuation(request, responseStream, context).ConfigureAwait(false);
        }
        catch (Exception error) when (Tell(error))
        {
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        try
        {
            await continuation(requestStream, responseStream, context).ConfigureAwait(false);
        }
        catch (Exception error) when (Tell(error))
        {
            throw;
        }
    }

    private static async Task<TResponse> Watched<TResponse>(Task<TResponse> running)
    {
        try
        {
            return await running.ConfigureAwait(false);
        }
        catch (Exception error) when (Tell(error))
        {
            throw;
        }
    }

    private static bool Tell(Exception error)
    {
        if (RequestContext.Current is { } request && request.HasGivenUpOn(error)) request.SetDoNotRetry();
        return false; // the exception goes on, untouched
    }
}
