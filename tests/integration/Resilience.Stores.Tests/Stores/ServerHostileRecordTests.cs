using Npgsql;
using Resilience.Idempotency.Tests.Stores;
using Resilience.StoreTests.Servers;
using StackExchange.Redis;

namespace Resilience.StoreTests;

public sealed class PostgresHostileRecordTests(PostgresServer server) : HostileRecordTests, IClassFixture<PostgresServer>, IAsyncLifetime
{
    private readonly NpgsqlDataSource _source = server.Connect();

    protected override IIdempotencyStore Store => new PostgresIdempotencyStore(_source);

    public Task InitializeAsync() => new PostgresIdempotencyStore(_source).EnsureCreatedAsync();

    public async Task DisposeAsync() => await _source.DisposeAsync();
}

public sealed class RedisHostileRecordTests(RedisServer server) : HostileRecordTests, IClassFixture<RedisServer>, IAsyncLifetime
{
    private ConnectionMultiplexer? _connection;

    protected override IIdempotencyStore Store => new RedisIdempotencyStore(_connection!);

    public async Task InitializeAsync() => _connection = await server.ConnectAsync();

    public async Task DisposeAsync() => await _connection!.DisposeAsync();
}
