using Resilience.StoreTests.Servers;
using Resilience.Testing;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>A real server, with a connection of its own for each client.</summary>
public sealed class RedisContractTests(RedisServer server) : IClassFixture<RedisServer>, IAsyncLifetime
{
    private readonly Subject _subject = new(server);

    public static TheoryData<IdempotencyStoreLaw> Laws => [.. IdempotencyStoreContract.Laws];

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_store_in_redis_keeps(IdempotencyStoreLaw law) => law.CheckAsync(_subject);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _subject.DisposeAsync();

    private sealed class Subject(RedisServer server) : IdempotencyStoreSubject
    {
        private readonly List<ConnectionMultiplexer> _connections = [];

        public override async ValueTask<IIdempotencyStore> OpenAsync()
        {
            ConnectionMultiplexer connection = await server.ConnectAsync();
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
}
