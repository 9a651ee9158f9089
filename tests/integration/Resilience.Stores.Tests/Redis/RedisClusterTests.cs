using Resilience.StoreTests.Servers;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>A cluster of six processes: three primaries and a replica of each, one of which is promoted in mid-traffic.</summary>
[Tests.Support.Requires(Tests.Support.Tool.Redis)]
public sealed class RedisClusterTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10), Patience = TimeSpan.FromSeconds(60);

    private static AcquireRequest Ask(IdempotencyId id, Guid? nonce = null) => new()
    {
        Id = id,
        Nonce = nonce ?? Guid.NewGuid(),
        Lease = Long,
        Retention = Long,
        MaxAttempts = 3,
    };

    [Fact]
    public async Task In_a_cluster_whose_primary_dies_nothing_is_lost_that_a_replica_was_waited_for_and_nothing_runs_twice()
    {
        RedisServer[] nodes = [.. Enumerable.Range(0, 6).Select(_ => new RedisServer(
            "--cluster-enabled", "yes", "--cluster-port", $"{ServerProcess.FreePort()}", "--cluster-node-timeout", "500", "--cluster-replica-validity-factor", "0"))];
        try
        {
            foreach (RedisServer node in nodes) await node.InitializeAsync();
            await JoinAsync(nodes);
            await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(
                string.Join(',', nodes.Select(n => $"127.0.0.1:{n.Port}")) + ",abortConnect=false,asyncTimeout=3000,connectTimeout=3000");
            RedisIdempotencyStore store = new(connection, new() { WaitReplicas = 1, WaitReplicasTimeout = TimeSpan.FromSeconds(2) });
            Dictionary<IdempotencyId, byte[]> acknowledged = [];
            for (int i = 0; i < 60; i++)
            {
                IdempotencyId id = IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();
                if (i == 40) nodes[0].KillHard(); // in mid-traffic: its replica is promoted
                byte[] payload = BitConverter.GetBytes(i);
                try
                {
                    Guid nonce = Guid.NewGuid();
                    AcquireResult claim = await UntilAnsweredAsync(() => store.TryAcquireAsync(Ask(id, nonce)));
                    claim.Status.Should().Be(AcquireStatus.Acquired);
                    if (await UntilAnsweredAsync(() => store.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, payload, Long))) acknowledged[id] = payload;
                }
                catch (IdempotencyStoreException alone) when (IsAlone(alone))
                {
                    // The shard whose primary died has no replica left that could be waited for: nothing of it is acknowledged.
                }
            }

            acknowledged.Should().HaveCountGreaterThan(40);
            foreach ((IdempotencyId id, byte[] payload) in acknowledged)
            {
                AcquireResult answer = await UntilAnsweredAsync(() => store.TryAcquireAsync(Ask(id)));
                answer.Status.Should().Be(AcquireStatus.Completed, "what a replica had is not executed again");
                answer.Payload.ToArray().Should().Equal(payload);
            }
        }
        finally
        {
            foreach (RedisServer node in nodes) await node.DisposeAsync();
        }
    }

    private static Task JoinAsync(RedisServer[] nodes) => Task.Run(() => ServerProcess.Run(
        ServerProcess.Find("redis-cli", "redis-tools", []),
        ["--cluster", "create", .. nodes.Select(n => $"127.0.0.1:{n.Port}"), "--cluster-replicas", "1", "--cluster-yes"]));

    private static bool IsAlone(IdempotencyStoreException e) => e.Message.Contains("replicas of Redis have the change", StringComparison.Ordinal);

    private static async Task<T> UntilAnsweredAsync<T>(Func<ValueTask<T>> ask)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (IdempotencyStoreException e) when (e.IsTransient && !IsAlone(e) && TimeProvider.System.GetElapsedTime(start) < Patience)
            {
                await Task.Delay(50);
            }
        }
    }
}
