using Npgsql;
using StackExchange.Redis;

namespace Resilience.StoreTests.Servers;

/// <summary>Each step of the protocol whose reply is lost: the server has done it, the client knows nothing, and asks again.</summary>
internal static class LostStep
{
    internal static readonly TheoryData<string> Steps = ["acquire", "take over", "replay", "renew", "complete", "release", "peek", "purge"];

    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    internal static async Task CheckAsync(string step, IIdempotencyStore store, IIdempotencyStore witness, FaultProxy proxy, Func<Func<Task>, Task> untilAsked)
    {
        IdempotencyId id = IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId(), other = IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();
        AcquireRequest request = new() { Id = id, Nonce = Guid.NewGuid(), Lease = Long, Retention = Long, MaxAttempts = 5 }, first = request with { Nonce = Guid.NewGuid() };
        long fence = 0;
        if (step == "take over")
        {
            await witness.TryAcquireAsync(first with { Lease = TimeSpan.FromMilliseconds(1) });
            while ((await witness.PeekAsync(id)).State != IdempotencyState.Lapsed) await Task.Delay(1);
        }
        else if (step != "acquire")
        {
            fence = (await witness.TryAcquireAsync(first)).Fence;
        }

        if (step == "replay") await witness.CompleteAsync(id, fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long);
        Func<Task<string>> ask = step switch
        {
            "acquire" or "take over" or "replay" => async () => Shown(await store.TryAcquireAsync(request)),
            "renew" => async () => $"{await store.RenewAsync(id, fence, Long)}",
            "complete" => async () => $"{await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long)}",
            "release" => async () => $"{await store.ReleaseAsync(id, fence)}",
            "peek" => async () => $"{(await store.PeekAsync(id)).State}",
            _ => async () => $"{await store.PurgeAsync(10) >= 0}",
        };
        await WarmAsync(store, other); // the connection is open and the scripts are known: what is lost next is the reply to the step
        proxy.Fault = Fault.LoseReply;
        if (step != "purge" || store.Traits.Name == "postgresql") // Redis removes by itself, and is not asked
        {
            (await FluentActions.Awaiting(ask).Should().ThrowAsync<IdempotencyStoreException>()).Which.Fault.Should().Be(IdempotencyStoreFault.Unavailable);
            await proxy.Struck;
        }

        proxy.Fault = Fault.None;
        long now = (await witness.PeekAsync(id)).Fence;
        string answered = "";
        await untilAsked(async () => answered = await ask());

        if (step == "take over") now = (await witness.PeekAsync(id)).Fence; // PostgreSQL looks before it takes over, and then it was the look that got lost

        answered.Should().Be(step switch
        {
            "acquire" => $"Acquired {now} 1 ",
            "take over" => $"Acquired {now} 2 ",
            "replay" => "Completed 0 0 07",
            "peek" => "InFlight",
            _ => "True",
        });
        if (step == "complete") (await witness.TryAcquireAsync(request)).Payload.ToArray().Should().Equal(7);
        if (step == "release") (await witness.TryAcquireAsync(request)).Status.Should().Be(AcquireStatus.Acquired);
    }

    private static string Shown(in AcquireResult answer) => $"{answer.Status} {answer.Fence} {answer.Attempt} {Convert.ToHexString(answer.Payload.Span)}";

    private static async Task WarmAsync(IIdempotencyStore store, IdempotencyId id)
    {
        AcquireRequest request = new() { Id = id, Nonce = Guid.NewGuid(), Lease = Long, Retention = Long, MaxAttempts = 5 };
        long fence = (await store.TryAcquireAsync(request)).Fence;
        await store.RenewAsync(id, fence, Long);
        await store.ReleaseAsync(id, fence);
        fence = (await store.TryAcquireAsync(request)).Fence;
        await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, default, Long);
        await store.PeekAsync(id);
    }
}

public sealed class PostgresLostStepTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    public static TheoryData<string> Steps => LostStep.Steps;

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_step_in_postgresql_whose_reply_is_lost_can_be_asked_for_again(string step)
    {
        await using NpgsqlDataSource direct = server.Connect();
        PostgresIdempotencyStore witness = new(direct);
        await witness.EnsureCreatedAsync();
        await using FaultProxy proxy = new(server.Port);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionStringAt(proxy.Port));
        await LostStep.CheckAsync(step, new PostgresIdempotencyStore(source), witness, proxy, ask => ask());
    }
}

public sealed class RedisLostStepTests(RedisServer server) : IClassFixture<RedisServer>
{
    public static TheoryData<string> Steps => LostStep.Steps;

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_step_in_redis_whose_reply_is_lost_can_be_asked_for_again(string step)
    {
        await using ConnectionMultiplexer direct = await server.ConnectAsync();
        await using FaultProxy proxy = new(server.Port);
        await using ConnectionMultiplexer connection =
            await RedisServer.ConnectAtAsync(proxy.Port, "connectTimeout=1000,connectRetry=1");
        await LostStep.CheckAsync(step, new RedisIdempotencyStore(connection), new RedisIdempotencyStore(direct), proxy, ReconnectedAsync);
    }

    /// <summary>The client connects again when it sees fit: ask until it has.</summary>
    private static async Task ReconnectedAsync(Func<Task> ask)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await ask();
                return;
            }
            catch (IdempotencyStoreException e) when (e.IsTransient && TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(20);
            }
        }
    }
}
