using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Resilience.Tests;

internal static class Transports
{
    /// <summary>A transport that connects itself.</summary>
    internal static SocketsHttpHandler Connecting() => new()
    {
        ConnectCallback = static async (context, token) =>
        {
            Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(context.DnsEndPoint, token);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    };
}

/// <summary>A port that is taken, so that no other socket gets it, and at which none listens.</summary>
internal sealed class ClosedPort : IDisposable
{
    private readonly Socket _taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    internal ClosedPort() => _taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    internal Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_taken.LocalEndPoint!).Port}");

    public void Dispose() => _taken.Dispose();
}

internal static class OptionsExtensions
{
    internal static GrpcResilienceOptions With(this GrpcResilienceOptions options, Action<GrpcResilienceOptions> change)
    {
        change(options);
        return options;
    }
}

/// <summary>Counts the attempts inside of ours.</summary>
internal sealed class Counting(Action count) : Interceptor
{
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        count();
        return continuation(request, context);
    }

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, BlockingUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        count();
        return continuation(request, context);
    }
}

/// <summary>Counts, and answers itself.</summary>
internal sealed class Failing(Action count, RpcException error) : Interceptor
{
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        count();
        return new(Task.FromException<TResponse>(error), Task.FromException<Metadata>(error), () => error.Status, () => error.Trailers, () => { });
    }
}
