using Resilience.StoreTests.Servers;
using Resilience.Testing;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>A real server, with a connection of its own for each client.</summary>
public sealed class RedisContractTests(RedisServer server) : IClassFixture<RedisServer>, IAsyncLifetime
{
    private readonly RedisSubject _subject = new(() => server.ConnectAsync());

    public static TheoryData<IdempotencyStoreLaw> Laws => [.. IdempotencyStoreContract.Laws];

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_store_in_redis_keeps(IdempotencyStoreLaw law) => law.CheckAsync(_subject);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _subject.DisposeAsync();
}
