using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>A TCP proxy on the loopback that cuts a connection at one byte of a message and of its answer, once each time that it is armed.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _relays = [];
    private readonly int _target;
    private readonly Task _accepting;
    private Cut? _armed;

    internal CuttingProxy(int target)
    {
        _target = target;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    internal int Port { get; }

    /// <summary>The next message that contains the text is cut.</summary>
    /// <param name="text">What the message contains.</param>
    /// <param name="at">How many bytes pass, of the message first and then of its answer.</param>
    internal Cut Arm(string text, int at) => Arm(new Cut(Encoding.ASCII.GetBytes(text), at, isOfAnswer: false));

    /// <summary>The next message that contains the text passes, and its answer is lost.</summary>
    internal Cut ArmAnswer(string text) => Arm(new Cut(Encoding.ASCII.GetBytes(text), 0, isOfAnswer: true));

    /// <summary>The next message that contains the text passes, and the connection is cut while the server works on it.</summary>
    internal Cut ArmAtOnce(string text) => Arm(new Cut(Encoding.ASCII.GetBytes(text), 0, isOfAnswer: true) { IsAtOnce = true });

    private Cut Arm(Cut cut)
    {
        Volatile.Write(ref _armed, cut);
        return cut;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        Task[] relays;
        lock (_relays) relays = [.. _relays];
        await Task.WhenAll(relays);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                Relay relay = new(this, await _listener.AcceptSocketAsync(_stop.Token));
                lock (_relays)
                {
                    _relays.RemoveAll(r => r.IsCompleted);
                    _relays.Add(relay.RunAsync());
                }
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    /// <summary>The cut, if this message is the one that it is meant for; taken by one connection.</summary>
    private Cut? Take(ReadOnlySpan<byte> message) =>
        Volatile.Read(ref _armed) is { } armed && message.IndexOf(armed.Text) >= 0 && Interlocked.CompareExchange(ref _armed, null, armed) == armed
            ? armed
            : null;

    /// <summary>Where a connection is cut.</summary>
    internal sealed class Cut(byte[] text, int at, bool isOfAnswer)
    {
        private int _left = at;

        internal byte[] Text => text;

        /// <summary>Whether it has happened.</summary>
        internal bool IsDone { get; set; }

        /// <summary>Whether the message was answered: what comes next on the connection is none of its business.</summary>
        internal bool IsAnswered { get; private set; }

        /// <summary>Whether it does not wait for the answer.</summary>
        internal bool IsAtOnce { get; init; }

        /// <summary>How many of these bytes pass; fewer than there are mean the end.</summary>
        internal int Pass(int count, bool isAnswer)
        {
            IsAnswered |= isAnswer;
            if (isOfAnswer && !isAnswer) return count;
            int pass = Math.Min(_left, count);
            _left -= pass;
            IsDone |= pass < count;
            return pass;
        }
    }

    private sealed class Relay(CuttingProxy proxy, Socket client)
    {
        private readonly Socket _server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private volatile Cut? _cut;

        internal async Task RunAsync()
        {
            try
            {
                await _server.ConnectAsync(IPAddress.Loopback, proxy._target, proxy._stop.Token);
                client.NoDelay = _server.NoDelay = true;
                Task there = PumpAsync(client, _server, isReply: false), back = PumpAsync(_server, client, isReply: true);
                await Task.WhenAny(there, back);
                Abort();
                await Task.WhenAll(there, back);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The connection is over: that is what this is for.
            }
            finally
            {
                Abort();
            }
        }

        /// <summary>A reset instead of a polite end.</summary>
        private void Abort()
        {
            client.Close(0);
            _server.Close(0);
        }

        private async Task PumpAsync(Socket from, Socket to, bool isReply)
        {
            byte[] buffer = new byte[32 * 1024];
            while (true)
            {
                int count = await from.ReceiveAsync(buffer, proxy._stop.Token);
                if (count == 0) return;
                if (!isReply && _cut is null or { IsAnswered: true }) _cut = proxy.Take(buffer.AsSpan(0, count));
                int pass = _cut is { } cut ? cut.Pass(count, isReply) : count;
                if (pass > 0) await to.SendAsync(buffer.AsMemory(0, pass), proxy._stop.Token);
                if (pass < count) return;
                if (isReply || _cut is not { IsAtOnce: true } atOnce) continue;
                atOnce.IsDone = true;
                return;
            }
        }
    }
}
