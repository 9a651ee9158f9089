using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>Where Redis loses what it acknowledged: how much, and that the check says so before.</summary>
[Requires(Tool.Redis)]
public sealed class RedisLossTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    private static AcquireRequest Ask(IdempotencyId id) => new() { Id = id, Nonce = Guid.NewGuid(), Lease = Long, Retention = Long, MaxAttempts = 3 };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    /// <summary>Other traffic fills the memory. With eviction records vanish, also those of claims, and the operation is executed again: so a server
    /// that may evict is rejected at the start. Without it nothing new is begun, and nothing is forgotten.</summary>
    [Theory]
    [InlineData("allkeys-lru", true)]
    [InlineData("volatile-ttl", true)]
    [InlineData("noeviction", false)]
    public async Task Where_memory_is_bounded_records_stay_or_the_start_is_rejected(string policy, bool evicts)
    {
        const int Keys = 40, MaxWrites = 20_000;
        RedisServer server = new("--appendonly", "no", "--maxmemory", "4mb", "--maxmemory-policy", policy, "--maxmemory-samples", "64");
        try
        {
            await server.InitializeAsync();
            await using ConnectionMultiplexer connection = await server.ConnectAsync();
            IDatabase database = connection.GetDatabase();
            RedisIdempotencyStore store = new(connection);
            if (evicts)
            {
                (await store.Invoking(s => s.CheckAsync()).Should().ThrowAsync<IdempotencyStoreException>())
                    .Where(e => e.Fault == IdempotencyStoreFault.Misconfigured)
                    .WithMessage($"*maxmemory-policy {policy}*: records vanish when memory is short*executed again*noeviction.");
            }
            else
            {
                (await store.CheckAsync()).Should().NotContain(s => s.Contains("maxmemory", StringComparison.Ordinal));
            }

            IdempotencyId[] claimed = [.. Enumerable.Range(0, Keys).Select(_ => NewId())];
            foreach (IdempotencyId id in claimed) (await store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.Acquired);

            int again = 0, writes = 0, rejected = 0;
            while (writes++ < MaxWrites && again == 0 && rejected == 0)
            {
                try
                {
                    await database.StringSetAsync($"theirs:{writes}", new byte[8 * 1024], TimeSpan.FromHours(1));
                }
                catch (RedisServerException full) when (full.Message.Contains("OOM", StringComparison.Ordinal))
                {
                    rejected++;
                }

                if (evicts && writes % 100 == 0 && await database.KeyExistsAsync([.. claimed.Select(store.KeyOf)]) < Keys) again = await BegunAgainAsync();
            }

            if (evicts)
            {
                again.Should().BePositive("a claim that was evicted is granted again, which is a second execution");
                return;
            }

            rejected.Should().Be(1, "the memory is full");
            foreach (IdempotencyId id in claimed) (await store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.InFlight);
            (await store.Invoking(BeginManyAsync).Should().ThrowAsync<IdempotencyStoreException>()).Which.Fault.Should().Be(IdempotencyStoreFault.Full);

            // A small record may still find room where a large value does not.
            static async Task BeginManyAsync(RedisIdempotencyStore store)
            {
                for (int i = 0; i < MaxWrites; i++) await store.TryAcquireAsync(Ask(NewId()));
            }

            async Task<int> BegunAgainAsync()
            {
                int count = 0;
                foreach (IdempotencyId id in claimed) count += (await store.TryAcquireAsync(Ask(id))).Status == AcquireStatus.Acquired ? 1 : 0;
                return count;
            }
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>The replica hears nothing any more while the primary goes on acknowledging; then the primary dies. What is lost is what was acknowledged in
    /// between, to the last key: with a replica waited for, nothing was.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task When_a_replica_is_promoted_what_it_had_not_received_is_lost_unless_it_was_waited_for(int waitReplicas)
    {
        const int Before = 30, After = 20;
        RedisServer primary = new("--appendonly", "no", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0");
        await primary.InitializeAsync();
        await using FaultProxy link = new(primary.Port);
        RedisServer replica = new("--appendonly", "no", "--replicaof", $"127.0.0.1 {link.Port}");
        try
        {
            await replica.InitializeAsync();
            Dictionary<IdempotencyId, int> acknowledged = [];
            await using (ConnectionMultiplexer connection = await primary.ConnectAsync())
            {
                RedisIdempotencyStore patient = new(connection, new() { WaitReplicas = waitReplicas, WaitReplicasTimeout = TimeSpan.FromSeconds(4) });
                RedisIdempotencyStore store = new(connection, new() { WaitReplicas = waitReplicas, WaitReplicasTimeout = TimeSpan.FromMilliseconds(50) });
                await UntilReceivedAsync(connection);
                for (int i = 0; i < Before; i++) await DoAsync(patient, i);
                await UntilReceivedAsync(connection);
                link.Fault = Fault.BlackHole;
                for (int i = Before; i < Before + After; i++) await DoAsync(store, i);
                primary.KillHard(); // in mid-traffic
            }

            link.DropAll(); // what is held is not delivered
            link.Fault = Fault.Reject;
            await using (ConnectionMultiplexer admin = await replica.ConnectAsync("allowAdmin=true"))
                await admin.GetDatabase().ExecuteAsync("REPLICAOF", "NO", "ONE");
            await using ConnectionMultiplexer promoted = await replica.ConnectAsync(); // a connection of its own: it finds a primary
            RedisIdempotencyStore survivor = new(promoted);
            int lost = 0;
            foreach ((IdempotencyId id, int number) in acknowledged)
            {
                AcquireResult answer = await survivor.TryAcquireAsync(Ask(id));
                if (answer.Status == AcquireStatus.Completed) BitConverter.ToInt32(answer.Payload.Span).Should().Be(number);
                else lost++;
            }

            (acknowledged.Count, lost).Should().Be(waitReplicas == 0 ? (Before + After, After) : (Before, 0));

            async Task DoAsync(RedisIdempotencyStore store, int number)
            {
                IdempotencyId id = NewId();
                try
                {
                    AcquireResult claim = await store.TryAcquireAsync(Ask(id));
                    if (await store.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, BitConverter.GetBytes(number), Long)) acknowledged[id] = number;
                }
                catch (IdempotencyStoreException e) when (e.Message.Contains("replicas of Redis have the change", StringComparison.Ordinal))
                {
                    // not acknowledged
                }
            }
        }
        finally
        {
            await replica.DisposeAsync();
            await primary.DisposeAsync();
        }
    }

    private static async Task UntilReceivedAsync(ConnectionMultiplexer primary)
    {
        IDatabase database = primary.GetDatabase();
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            await database.StringSetAsync("mark", "x");
            if ((long)await database.ExecuteAsync("WAIT", "1", "500") >= 1) return;
            TimeProvider.System.GetElapsedTime(start).Should().BeLessThan(TimeSpan.FromSeconds(60), "the replica must connect");
        }
    }
}
