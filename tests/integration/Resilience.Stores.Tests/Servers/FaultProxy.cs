using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Resilience.StoreTests.Servers;

/// <summary>What goes wrong between a client and a server.</summary>
internal enum Fault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>New connections are reset at once; open ones go on.</summary>
    Reject,

    /// <summary>Bytes of both directions are held as long as this lasts, and delivered afterwards.</summary>
    BlackHole,

    /// <summary>Whatever is sent ends the connection with a reset, undelivered.</summary>
    Reset,

    /// <summary>Requests arrive and are done, but instead of the reply the client sees a reset.</summary>
    LoseReply,

    /// <summary>As above, after the first half of the reply.</summary>
    CutReply,
}

/// <summary>A TCP proxy on the loopback that misbehaves as it is told.</summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Relay, Task> _relays = [];
    private readonly int _target;
    private readonly Task _accepting;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _struck = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Fault _fault;
    private int _requests;

    internal FaultProxy(int target)
    {
        _target = target;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    internal int Port { get; }

    /// <summary>How long every piece is delayed, both ways.</summary>
    internal TimeSpan Delay { get; set; }

    /// <summary>How many pieces clients have sent: on the loopback, a small request is one piece.</summary>
    internal int Requests => Volatile.Read(ref _requests);

    /// <summary>Completes when the present fault has hit something; when a reply was lost, the server has done what was asked.</summary>
    internal Task Struck => Volatile.Read(ref _struck).Task;

    internal Fault Fault
    {
        get => _fault;
        set
        {
            Volatile.Write(ref _struck, new(TaskCreationOptions.RunContinuationsAsynchronously));
            _fault = value;
            Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        DropAll();
        await _accepting;
        await Task.WhenAll(_relays.Values);
        _stop.Dispose();
    }

    /// <summary>Resets all connections.</summary>
    internal void DropAll()
    {
        foreach (Relay relay in _relays.Keys) relay.Abort();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_stop.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            Relay relay = new(this, client);
            if (Fault == Fault.Reject)
            {
                relay.Abort();
                Strike();
            }
            else
            {
                Task run = relay.RunAsync();
                _relays[relay] = run;
                _ = run.ContinueWith(_ => _relays.TryRemove(relay, out Task? _), TaskScheduler.Default);
            }
        }
    }

    private void Strike() => Volatile.Read(ref _struck).TrySetResult();

    /// <summary>Holds on while the hole is open; the thread that changes the fault wakes this one.</summary>
    private async Task WaitOutAsync()
    {
        while (true)
        {
            Task changed = Volatile.Read(ref _changed).Task; // before the fault is read, so that no change is missed
            if (Fault != Fault.BlackHole) return;
            Strike();
            await changed.WaitAsync(_stop.Token);
        }
    }

    private sealed class Relay(FaultProxy proxy, Socket client)
    {
        private readonly Socket _server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

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
        internal void Abort()
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
                if (!isReply) Interlocked.Increment(ref proxy._requests);
                if (proxy.Delay > TimeSpan.Zero) await Task.Delay(proxy.Delay, proxy._stop.Token);
                await proxy.WaitOutAsync();
                int pass = Passing(count, isReply);
                await to.SendAsync(buffer.AsMemory(0, pass), proxy._stop.Token);
                if (pass == count) continue;
                if (isReply) await LetItFinishAsync(buffer);
                proxy.Strike();
                return;
            }
        }

        /// <summary>The server has read what was asked, does it, and then sees the end: not earlier, or it might drop the rest of its work.</summary>
        private async Task LetItFinishAsync(byte[] buffer)
        {
            if (proxy.Fault == Fault.Reset) return;
            _server.Shutdown(SocketShutdown.Send);
            while (await _server.ReceiveAsync(buffer, proxy._stop.Token) > 0)
            {
            }
        }

        /// <summary>How many bytes get through; fewer than there are mean the end.</summary>
        private int Passing(int count, bool isReply) => proxy.Fault switch
        {
            Fault.Reset => 0,
            Fault.LoseReply when isReply => 0,
            Fault.CutReply when isReply => count / 2,
            _ => count,
        };
    }
}
