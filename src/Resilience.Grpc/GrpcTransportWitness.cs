using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Resilience.Grpc;

/// <summary>Stands directly above the transport of a channel and sees when no connection was made, so that nothing was sent: then a call is repeated whatever
/// its method. <c>AddGrpcResilience</c> puts it there; a channel that is made by hand gets it as its handler.</summary>
/// <remarks>Where the channel connects by itself, as it does with the transports of the framework, it says so, and no witness is needed. It is where the
/// transport connects: with a <see cref="SocketsHttpHandler.ConnectCallback"/> or a proxy. There the exception alone proves nothing: a handler above
/// the transport may have sent the request before. Without a witness such a call is repeated only if its method is declared idempotent. Nothing
/// but handlers that send a request once may stand above it.</remarks>
/// <example><code>
/// GrpcChannel channel = GrpcChannel.ForAddress("https://orders", new() { HttpHandler = new GrpcTransportWitness(new SocketsHttpHandler()) });
/// </code></example>
public sealed class GrpcTransportWitness : DelegatingHandler
{
    private static readonly HttpRequestOptionsKey<bool> MayBeSent = new("Resilience.Grpc.MayBeSent");
    private static readonly ConditionalWeakTable<Exception, object> Unsent = [];

    private readonly bool _sees;
    private readonly bool _isAlone; // it is known that nothing above sends a request twice

    /// <summary>A witness above a transport of the framework. Above any other it sees nothing.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="transport"/> is null.</exception>
    public GrpcTransportWitness(SocketsHttpHandler transport)
        : base(transport) => _sees = transport.GetType() == typeof(SocketsHttpHandler);

    /// <summary>In the chain of a factory, whose handlers are known.</summary>
    /// <param name="sees">Whether nothing stands above that could send a request twice, and the transport is the framework's.</param>
    internal GrpcTransportWitness(bool sees) => _sees = _isAlone = sees;

    /// <summary>Whether this is the exception of a request that was not sent: one that was seen here, or one with which the channel says that it did not
    /// connect, before it has given the request to any handler. Then it is the socket's itself; those of requests are wrapped in one of HTTP.</summary>
    internal static bool SawNothingSent(Exception? error)
    {
        if (error?.GetType() == typeof(SocketException)) return true;
        for (int depth = 0; error is not null && depth < 16; depth++, error = error.InnerException)
        {
            if (Unsent.TryGetValue(error, out _)) return true;
        }

        return false;
    }

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return _sees ? WatchAsync(request, cancellationToken) : base.SendAsync(request, cancellationToken);
    }

    private async Task<HttpResponseMessage> WatchAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            HttpResponseMessage response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if (!_isAlone) request.Options.Set(MayBeSent, true);
            return response;
        }
        catch (Exception error)
        {
            if (!IsNoConnection(error)) request.Options.Set(MayBeSent, true);
            else if (!request.Options.TryGetValue(MayBeSent, out _)) Unsent.TryAdd(error, Unsent);
            throw;
        }
    }

    /// <summary>No name, no connection, no tunnel, no TLS session; or the transport's own limit for connecting.</summary>
    private static bool IsNoConnection(Exception error) => error switch
    {
        HttpRequestException { StatusCode: null } http => http.HttpRequestError is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
            or HttpRequestError.ProxyTunnelError or HttpRequestError.SecureConnectionError,
        OperationCanceledException { InnerException: TimeoutException timeout } => timeout.InnerException is not OperationCanceledException,
        _ => false,
    };
}
