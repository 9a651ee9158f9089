using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Resilience.Grpc;

/// <summary>Runs the calls of a channel through the pipeline of its target. Holds no state of its own. Thread-safe.</summary>
/// <remarks>
/// <para>It stands outermost: call credentials and other interceptors then run for each attempt. What may have been carried out is repeated only for methods
/// that are declared idempotent and for calls with a key; see <see cref="GrpcClientOptions"/>.</para>
/// <para>Unary calls are repeated, asynchronous and blocking ones; <c>ResponseHeadersAsync</c> completes with the attempt that wins. A server stream is
/// repeated until its first message. Client streams and duplex streams are sent once, and pass the circuit breaker and the limit.</para>
/// </remarks>
/// <example><code>
/// CallInvoker invoker = channel.Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders")));
/// </code></example>
public sealed class ResilienceInterceptor : Interceptor
{
    /// <summary>An interceptor for the calls of one channel.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="resilience"/> is null.</exception>
    public ResilienceInterceptor(GrpcResilience resilience)
    {
        ArgumentNullException.ThrowIfNull(resilience);
        Resilience = resilience;
    }

    /// <summary>What the calls share.</summary>
    public GrpcResilience Resilience { get; }

    /// <inheritdoc/>
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        return CallDeadline.IsUnusable(context.Options.Deadline) // the library says what is wrong
            ? continuation(request, context)
            : new UnaryCall<TRequest, TResponse>(Resilience, request, context, continuation).Start();
    }

    /// <inheritdoc/>
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, BlockingUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        return CallDeadline.IsUnusable(context.Options.Deadline)
            ? continuation(request, context)
            : new BlockingCall<TRequest, TResponse>(Resilience, request, context, continuation).Run();
    }

    /// <inheritdoc/>
    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        return CallDeadline.IsUnusable(context.Options.Deadline)
            ? continuation(request, context)
            : new ServerStream<TRequest, TResponse>(Resilience, request, context, continuation).Call;
    }

    /// <inheritdoc/>
    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context, AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        return CallDeadline.IsUnusable(context.Options.Deadline)
            ? continuation(context)
            : new ClientStream<TRequest, TResponse>(Resilience, context, continuation).Start();
    }

    /// <inheritdoc/>
    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context, AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        return CallDeadline.IsUnusable(context.Options.Deadline)
            ? continuation(context)
            : new DuplexStream<TRequest, TResponse>(Resilience, context, continuation).Start();
    }
}
