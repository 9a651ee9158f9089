using System.Net;
using System.Net.Sockets;

namespace Resilience.PaymentsSample;

/// <summary>What lies between the two: it carries every request, and loses every fourth reply after the operation was done.</summary>
internal sealed class LossyNetwork : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly int _servicePort;
    private int _replies;
    private int _lost;

    internal LossyNetwork(int servicePort)
    {
        _servicePort = servicePort;
        _listener.Start();
        _ = AcceptAsync();
    }

    internal int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    internal int RepliesLost => Volatile.Read(ref _lost);

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = CarryAsync(await _listener.AcceptSocketAsync(_stop.Token));
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // the story is over
        }
    }

    private async Task CarryAsync(Socket shop)
    {
        using Socket service = new(SocketType.Stream, ProtocolType.Tcp);
        using (shop)
        {
            try
            {
                await service.ConnectAsync(IPAddress.Loopback, _servicePort, _stop.Token);
                await Task.WhenAny(PumpAsync(shop, service, isReply: false), PumpAsync(service, shop, isReply: true));
            }
            catch (Exception broken) when (broken is OperationCanceledException or SocketException)
            {
                // the service is down: the shop sees a connection that closes
            }
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool isReply)
    {
        byte[] buffer = new byte[16 << 10];
        try
        {
            while (await from.ReceiveAsync(buffer, _stop.Token) is > 0 and int read)
            {
                if (isReply && Interlocked.Increment(ref _replies) % 4 == 0)
                {
                    Interlocked.Increment(ref _lost);
                    return;                                             // both connections close; the service has done it, the shop never learns of it
                }

                await to.SendAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
        catch (Exception broken) when (broken is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // one of the two is gone
        }
    }
}
