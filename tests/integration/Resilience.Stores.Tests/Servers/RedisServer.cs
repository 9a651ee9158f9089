using System.Net.Sockets;
using System.Text;
using Resilience.Tests.Support;
using StackExchange.Redis;

namespace Resilience.StoreTests.Servers;

/// <summary>A real Redis on a free port of the loopback, with its data in a temporary folder. Gone when disposed.</summary>
[Requires(Tool.Redis)]
public sealed class RedisServer : IAsyncLifetime
{
    private readonly string[] _settings;
    private readonly string _folder = Directory.CreateTempSubdirectory("resilience-redis").FullName;
    private ServerProcess? _server;

    /// <summary>For tests that do not kill it: nothing is written to disk.</summary>
    public RedisServer() : this("--appendonly", "no")
    {
    }

    internal RedisServer(params string[] settings) => _settings = settings;

    /// <summary>With a wall clock that the test sets.</summary>
    internal SteppedClock? Clock { get; init; }

    internal int Port { get; private set; }

    /// <summary>Acknowledged means flushed.</summary>
    internal static RedisServer Durable() => new("--appendonly", "yes", "--appendfsync", "always");

    public async Task InitializeAsync()
    {
        if (Requirements.AreMissingFor(typeof(RedisServer))) return;
        Port = ServerProcess.FreePort();
        await StartAgainAsync();
    }

    public Task DisposeAsync()
    {
        _server?.Dispose();
        Directory.Delete(_folder, recursive: true);
        return Task.CompletedTask;
    }

    internal void KillHard()
    {
        _server!.KillHard();
        _server.Dispose();
        _server = null;
    }

    internal async Task StartAgainAsync()
    {
        for (int attempt = 1; ; attempt++)
        {
            string program = ServerProcess.Find("redis-server", "redis-server", []);
            string[] command =
                [.. Clock?.Before ?? [], program, "--port", $"{Port}", "--bind", "127.0.0.1", "--dir", _folder, "--save", "", .. _settings];
            _server = new(command[0], command[1..]);
            try
            {
                await _server.UntilReadyAsync(AnswersAsync);
                return;
            }
            catch (InvalidOperationException) when (attempt < 20)
            {
                _server.Dispose();
                await Task.Delay(100);
            }
        }
    }

    internal Task<ConnectionMultiplexer> ConnectAsync(string settings = "") => ConnectAtAsync(Port, settings);

    internal static Task<ConnectionMultiplexer> ConnectAtAsync(int port, string settings = "") =>
        ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},abortConnect=false,connectTimeout=5000,syncTimeout=5000,asyncTimeout=5000,{settings}");

    /// <summary>An inline PING: loading its data, it answers with an error, and is not ready; asking for a password, it is.</summary>
    private async Task<bool> AnswersAsync()
    {
        try
        {
            using TcpClient client = new();
            await client.ConnectAsync("127.0.0.1", Port);
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync("PING\r\n"u8.ToArray());
            byte[] answer = new byte[64];
            int count = await stream.ReadAsync(answer);
            string said = Encoding.ASCII.GetString(answer, 0, count);
            return said.StartsWith("+PONG", StringComparison.Ordinal) || said.StartsWith("-NOAUTH", StringComparison.Ordinal);
        }
        catch (SocketException)
        {
            return false;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
