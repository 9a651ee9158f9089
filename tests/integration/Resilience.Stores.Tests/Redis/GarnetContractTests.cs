using Resilience.Testing;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>Garnet speaks the protocol of Redis and runs its scripts: all laws hold there too.</summary>
public sealed class GarnetContractTests(GarnetServer server) : IClassFixture<GarnetServer>, IAsyncLifetime
{
    private readonly RedisSubject _subject = new(server.ConnectAsync);

    public static TheoryData<IdempotencyStoreLaw> Laws => [.. IdempotencyStoreContract.Laws];

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_store_in_garnet_keeps(IdempotencyStoreLaw law) => law.CheckAsync(_subject);

    [Fact]
    public async Task Garnet_is_rejected_at_the_start_unless_its_operator_says_that_scripts_are_one_step()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        using IdempotencyGate rejected = new(new RedisIdempotencyStore(connection));
        using IdempotencyGate allowed = new(new RedisIdempotencyStore(connection, new() { AllowGarnet = true }));
        (await rejected.Invoking(g => g.CheckStoreAsync()).Should().ThrowAsync<IdempotencyStoreException>().WithMessage("*is Garnet*--lua-transaction-mode*"))
            .Which.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);
        (await allowed.CheckStoreAsync()).Should().OnlyContain(
            s => s.Contains("maxmemory", StringComparison.Ordinal) || s.Contains("append-only", StringComparison.Ordinal));
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _subject.DisposeAsync();
}
