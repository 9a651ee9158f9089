using Npgsql;
using Resilience.Idempotency.Tests.Stores;
using Resilience.StoreTests.Servers;
using StackExchange.Redis;

namespace Resilience.StoreTests;

/// <summary>What lies in a store and was not written by this version: on every store the same, nothing is begun again.</summary>
public abstract class HostileRecordTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    protected abstract IIdempotencyStore Store { get; }

    [Fact]
    public async Task What_is_cut_changed_newer_or_not_ours_is_never_begun_again()
    {
        byte[] whole = IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "\"receipt\""u8);
        byte[] changed = [.. whole], newer = [.. whole, 1, 2, 3];
        changed[^2] ^= 1;
        newer[2] = IdempotencyPayload.Version + 1;
        byte[] otherType = IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "{\"a\":1}"u8), otherKind = IdempotencyPayload.Encode((IdempotencyPayloadKind)77, "x"u8);
        foreach (byte[] stored in (byte[][])[[], [0], whole[..5], whole[..^1], [.. whole, 0], changed, newer, [.. "O:8:\"stdClass\""u8], otherType, otherKind])
        {
            foreach (WhenStoreFails whenStoreFails in Enum.GetValues<WhenStoreFails>())
            {
                IdempotencyKey key = IdempotencyKey.Shared(Guid.NewGuid().ToString());
                AcquireResult claim = await Store.TryAcquireAsync(new() { Id = key.ToId(), Nonce = Guid.NewGuid(), Lease = Hour, Retention = Hour, MaxAttempts = 5 });
                await Store.CompleteAsync(key.ToId(), claim.Fence, IdempotencyCompletion.Completed, stored, Hour);
                using IdempotencyGate gate = new(Store, new() { WhenStoreFails = whenStoreFails });
                bool hasRun = false;

                IdempotencyRejectedException rejected = (await FluentActions.Awaiting(() => gate.GetOrAddAsync(key, (_, _) =>
                {
                    hasRun = true;
                    return new ValueTask<string>("again");
                }).AsTask()).Should().ThrowAsync<IdempotencyRejectedException>()).Which;

                rejected.Why.Should().Be(IdempotencyRejectionReason.Unreadable, Convert.ToHexString(stored));
                hasRun.Should().BeFalse();
            }
        }
    }
}

public sealed class InMemoryHostileRecordTests : HostileRecordTests
{
    protected override IIdempotencyStore Store { get; } = new InMemoryIdempotencyStore();
}

public sealed class SqliteHostileRecordTests : HostileRecordTests, IAsyncLifetime
{
    private readonly SqliteSubject _subject = new();
    private IIdempotencyStore? _store;

    protected override IIdempotencyStore Store => _store!;

    public async Task InitializeAsync() => _store = await _subject.OpenAsync();

    public async Task DisposeAsync() => await _subject.DisposeAsync();
}

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
