using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>A real Garnet on a free port of the loopback, with scripts switched on. Gone when disposed.</summary>
[Requires(Tool.Garnet)]
public sealed class GarnetServer : IAsyncLifetime
{
    private ServerProcess? _server;
    private int _port;

    public async Task InitializeAsync()
    {
        if (Requirements.AreMissingFor(typeof(GarnetServer))) return;
        _port = ServerProcess.FreePort();
        _server = new(
            Tool.GarnetServer!, "--port", $"{_port}", "--bind", "127.0.0.1", "--lua", "--lua-transaction-mode", "--memory", "64m", "--index", "1m", "--no-obj");
        await _server.UntilReadyAsync(async () =>
        {
            await using ConnectionMultiplexer connection = await ConnectAsync();
            return connection.IsConnected;
        });
    }

    public Task DisposeAsync()
    {
        _server?.Dispose();
        return Task.CompletedTask;
    }

    internal Task<ConnectionMultiplexer> ConnectAsync() => RedisServer.ConnectAtAsync(_port);
}
