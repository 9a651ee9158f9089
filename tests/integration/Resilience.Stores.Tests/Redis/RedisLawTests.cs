using Resilience.StoreTests.Servers;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>The laws, as Redis keeps them.</summary>
public sealed class RedisLawTests(RedisServer server) : StoreLaws, IClassFixture<RedisServer>, IAsyncLifetime
{
    private ConnectionMultiplexer? _one, _other;

    protected override IIdempotencyStore One => new RedisIdempotencyStore(_one!);

    protected override IIdempotencyStore Other => new RedisIdempotencyStore(_other!);

    protected override bool CollectsItself => true;

    public async Task InitializeAsync()
    {
        _one = await server.ConnectAsync();
        _other = await server.ConnectAsync();
    }

    public async Task DisposeAsync()
    {
        await _one!.DisposeAsync();
        await _other!.DisposeAsync();
    }
}
