using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using StackExchange.Redis;

namespace Resilience.StoreTests.Servers;

/// <summary>A store that was given a connection string keeps to itself: the application's own connection is neither taken over nor taken.</summary>
public sealed class RegistrationTests(PostgresServer postgres, RedisServer redis) : IClassFixture<PostgresServer>, IClassFixture<RedisServer>
{
    /// <summary>The machine may be busy.</summary>
    private static void Patient(IdempotencyOptions options) => options.AcquireTimeout = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_store_s_data_source_and_the_application_s_are_apart_in_both_orders(bool applicationFirst)
    {
        string keys = $"keys_{applicationFirst}".ToLowerInvariant();
        await postgres.ExecuteAsync($"CREATE DATABASE {keys}");
        string ofStore = new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Database = keys }.ConnectionString;
        ServiceCollection services = [];
        if (applicationFirst) services.AddSingleton(_ => postgres.Connect());
        services.AddIdempotency(Patient).UsePostgreSql(ofStore);
        if (!applicationFirst) services.AddSingleton(_ => postgres.Connect());
        NpgsqlDataSource application;
        await using (ServiceProvider provider = services.BuildServiceProvider())
        {
            application = provider.GetRequiredService<NpgsqlDataSource>();
            provider.GetServices<NpgsqlDataSource>().Should().Equal(application);
            PostgresIdempotencyStore store = provider.GetRequiredService<IIdempotencyStore>().Should().BeOfType<PostgresIdempotencyStore>().Subject;
            await store.EnsureCreatedAsync();
            (await provider.GetRequiredService<IdempotencyGate>().EnterAsync(IdempotencyKey.Shared("k").ToId(), default)).Claim.Should().NotBeNull();

            (await DatabaseAsync(application)).Should().Be("postgres", "the application talks to its own database");
            (await RecordsAsync(ofStore)).Should().Be(1L, "and the store to the one it was given");
        }

        await application.Invoking(a => a.OpenConnectionAsync().AsTask()).Should().ThrowAsync<ObjectDisposedException>("the container made it");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_store_s_connection_and_the_application_s_are_apart_in_both_orders(bool applicationFirst)
    {
        IConnectionMultiplexer own = await redis.ConnectAsync("defaultDatabase=1");
        ServiceCollection services = [];
        if (applicationFirst) services.AddSingleton(own);
        services.AddIdempotency(Patient).UseRedis($"127.0.0.1:{redis.Port},defaultDatabase=2");
        if (!applicationFirst) services.AddSingleton(own);
        IdempotencyId id = IdempotencyKey.Shared($"k {applicationFirst}").ToId();
        await using (ServiceProvider provider = services.BuildServiceProvider())
        {
            provider.GetServices<IConnectionMultiplexer>().Should().Equal(own);
            long before = await KeysAsync(own, 2);
            (await provider.GetRequiredService<IdempotencyGate>().EnterAsync(id, default)).Claim.Should().NotBeNull();

            (await KeysAsync(own, 1)).Should().Be(0, "nothing of the store's goes over the application's connection");
            (await KeysAsync(own, 2)).Should().Be(before + 1);
        }

        own.IsConnected.Should().BeTrue("the store closes its own connection and no other");
        await own.DisposeAsync();
    }

    [Fact]
    public async Task A_store_without_a_connection_string_uses_the_application_s_connection_and_leaves_it_open()
    {
        await using NpgsqlDataSource source = postgres.Connect();
        IConnectionMultiplexer connection = await redis.ConnectAsync("defaultDatabase=3");
        ServiceCollection services = [];
        services.AddIdempotency(Patient).UsePostgreSql(o => o.Table = "of_the_application");
        services.AddIdempotency("orders", Patient).UseRedis();
        services.AddSingleton(source).AddSingleton(connection);
        await using (ServiceProvider provider = services.BuildServiceProvider())
        {
            await ((PostgresIdempotencyStore)provider.GetRequiredService<IIdempotencyStore>()).EnsureCreatedAsync();
            foreach (string gate in new[] { "", "orders" })
                (await provider.GetRequiredService<IdempotencyGates>().Get(gate).EnterAsync(IdempotencyKey.Shared("k").ToId(), default)).Claim.Should().NotBeNull();
            (await KeysAsync(connection, 3)).Should().Be(1);
        }

        (await DatabaseAsync(source)).Should().Be("postgres");
        connection.IsConnected.Should().BeTrue();
        await connection.DisposeAsync();
    }

    private static async Task<string> DatabaseAsync(NpgsqlDataSource source)
    {
        await using NpgsqlCommand command = source.CreateCommand("SELECT current_database()");
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private static async Task<long> RecordsAsync(string connectionString)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(connectionString);
        await using NpgsqlCommand command = source.CreateCommand($"SELECT count(*) FROM {new PostgresIdempotencyOptions().Table}");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static Task<long> KeysAsync(IConnectionMultiplexer connection, int database) => connection.GetServers().Single().DatabaseSizeAsync(database);
}
