using Resilience.Testing;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>The store on a server that speaks the protocol of Redis, with a connection of its own for each client.</summary>
internal sealed class RedisSubject(Func<Task<ConnectionMultiplexer>> connect) : IdempotencyStoreSubject
{
    private readonly List<ConnectionMultiplexer> _connections = [];

    public override async ValueTask<IIdempotencyStore> OpenAsync()
    {
        ConnectionMultiplexer connection = await connect();
        lock (_connections) _connections.Add(connection);
        return new RedisIdempotencyStore(connection);
    }

    public override async ValueTask<bool> TryCorruptAsync(IdempotencyId id)
    {
        RedisKey key = new RedisIdempotencyStore(_connections[0]).KeyOf(id);
        await _connections[0].GetDatabase().StringSetRangeAsync(key, 8, new byte[] { 0, 0, 0, 0, 0, 0, 0, 128 });
        return true;
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (ConnectionMultiplexer connection in _connections) await connection.DisposeAsync();
        await base.DisposeAsync();
    }
}
