using Npgsql;
using Resilience.Idempotency.Tests;
using StackExchange.Redis;

namespace Resilience.StoreTests.Servers;

/// <summary>Two nodes, one store, all defaults: the client lost the connection to the first node and repeats at the second.</summary>
public sealed class TwoNodesTests(PostgresServer postgres, RedisServer redis) : IClassFixture<PostgresServer>, IClassFixture<RedisServer>, IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<IAsyncDisposable> _open = [];
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"two-nodes-{Guid.NewGuid():N}.db");

    public static TheoryData<string> Stores => ["sqlite", "postgresql", "redis"];

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_retry_that_reaches_the_other_node_ends_with_the_receipt(string kind)
    {
        TaskCompletionSource lookedTwice = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int looks = 0;
        UnrulyStore store = new(await OpenAsync(kind))
        {
            Before = operation =>
            {
                if (operation == "peek" && Interlocked.Increment(ref looks) == 2) lookedTwice.TrySetResult();
                return Task.CompletedTask;
            },
        };
        using IdempotencyGate first = new(await OpenAsync(kind)), second = new(store);
        IdempotencyId id = IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();
        IdempotencyClaim claim = (await first.EnterAsync(id, default)).Claim!;

        Task<IdempotencyResult> retry = second.EnterAsync(id, default).AsTask();
        await lookedTwice.Task.WaitAsync(Patience); // it was told that the first is at it, and follows
        retry.IsCompleted.Should().BeFalse();
        (await claim.CompleteAsync(IdempotencyPayloadKind.Value, "receipt"u8.ToArray())).Should().Be(IdempotencyFinish.Kept);

        IdempotencyResult answer = await retry.WaitAsync(Patience);
        answer.Status.Should().Be(IdempotencyStatus.Replayed);
        answer.Content.ToArray().Should().Equal("receipt"u8.ToArray());
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_caller_rejected_while_the_owner_is_alive_is_told_to_retry_soon_and_not_when_its_lease_ends(string kind)
    {
        IdempotencyOptions reject = new() { WhenInFlight = WhenInFlight.Reject };
        using IdempotencyGate first = new(await OpenAsync(kind)), second = new(await OpenAsync(kind), reject);
        IdempotencyId id = IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();
        await using IdempotencyClaim claim = (await first.EnterAsync(id, default)).Claim!;

        IdempotencyResult rejected = await second.EnterAsync(id, default);

        rejected.Status.Should().Be(IdempotencyStatus.InFlight);
        rejected.RetryAfter.Should().BePositive().And.BeLessThanOrEqualTo(TimeSpan.FromSeconds(5)).And.BeLessThan(reject.Lease / 2);
        (await second.ReadOutcomeAsync(id, default)).RetryAfter.Should().BePositive().And.BeLessThanOrEqualTo(TimeSpan.FromSeconds(5));
    }

    private async Task<IIdempotencyStore> OpenAsync(string kind)
    {
        switch (kind)
        {
            case "sqlite":
                SqliteIdempotencyStore sqlite = new($"Data Source={_file}");
                _open.Add(sqlite);
                return sqlite;
            case "postgresql":
                NpgsqlDataSource source = NpgsqlDataSource.Create(postgres.ConnectionString);
                _open.Add(source);
                PostgresIdempotencyStore made = new(source);
                await made.EnsureCreatedAsync();
                return made;
            default:
                ConnectionMultiplexer connection = await redis.ConnectAsync();
                _open.Add(connection);
                return new RedisIdempotencyStore(connection);
        }
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (IAsyncDisposable one in _open) await one.DisposeAsync();
        foreach (string file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(file);
    }
}
