using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Resilience.Tests.Http;

/// <summary>A server that reads the head of a request, sends some bytes whatever they mean, and closes the connection.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;
    private int _count;

    /// <param name="answer">Gets the number of the request.</param>
    internal RawServer(Func<int, string> answer)
    {
        _listener.Start();
        Address = new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
        _running = RunAsync(answer);
    }

    internal Uri Address { get; }

    /// <summary>How many requests arrived.</summary>
    internal int Count => Volatile.Read(ref _count);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _running.WaitAsync(TimeSpan.FromSeconds(30));
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync(Func<int, string> answer)
    {
        try
        {
            while (true)
            {
                using TcpClient client = await _listener.AcceptTcpClientAsync(_stop.Token);
                NetworkStream stream = client.GetStream();
                if (!await ReadRequestAsync(stream)) continue;
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer(Interlocked.Increment(ref _count) - 1)), _stop.Token);
            }
        }
        catch (Exception error) when (_stop.IsCancellationRequested && error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test has ended.
        }
    }

    /// <summary>Reads to the end of the body, lest closing the connection resets it and the answer gets lost.</summary>
    private async Task<bool> ReadRequestAsync(NetworkStream stream)
    {
        StringBuilder text = new();
        byte[] buffer = new byte[4096];
        while (true)
        {
            int read = await stream.ReadAsync(buffer, _stop.Token);
            if (read == 0) return false;
            text.Append(Encoding.ASCII.GetString(buffer, 0, read));
            string said = text.ToString();
            int end = said.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end < 0) continue;
            string? length = said[..end].Split("\r\n").FirstOrDefault(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
            if (said.Length - end - 4 >= (length is null ? 0 : int.Parse(length[15..], System.Globalization.CultureInfo.InvariantCulture))) return true;
        }
    }
}

/// <summary>A port where nobody listens, and where nobody else can begin to as long as this lives.</summary>
internal sealed class RefusedPort : IDisposable
{
    private readonly Socket _bound = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    internal RefusedPort()
    {
        _bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Address = new($"http://127.0.0.1:{((IPEndPoint)_bound.LocalEndPoint!).Port}/");
    }

    internal Uri Address { get; }

    public void Dispose() => _bound.Dispose();
}
