using Npgsql;
using Resilience.Tests.Support;
using StackExchange.Redis;

namespace Resilience.StoreTests.Servers;

/// <summary>A server whose clock is set by an hour: its time counts, and no other clock.</summary>
[Requires(Tool.Linker)]
public sealed class SteppedClockTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1), Day = TimeSpan.FromDays(1), Lease = TimeSpan.FromMinutes(10);

    [Fact]
    [Requires(Tool.PostgreSql)]
    public async Task A_clock_of_postgresql_that_is_set_executes_nothing_again_and_keeps_one_outcome()
    {
        using SteppedClock clock = new();
        PostgresServer server = new(durable: false, clock);
        try
        {
            await server.InitializeAsync();
            await using NpgsqlDataSource source = server.Connect();
            PostgresIdempotencyStore store = new(source);
            await store.EnsureCreatedAsync();
            await CheckAsync(store, clock, async () => DateTime.SpecifyKind((DateTime)(await server.AskAsync("SELECT clock_timestamp()"))!, DateTimeKind.Utc));
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    [Requires(Tool.Redis)]
    public async Task A_clock_of_redis_that_is_set_executes_nothing_again_and_keeps_one_outcome()
    {
        using SteppedClock clock = new();
        RedisServer server = new("--appendonly", "no") { Clock = clock };
        try
        {
            await server.InitializeAsync();
            await using ConnectionMultiplexer connection = await server.ConnectAsync();
            await CheckAsync(
                new RedisIdempotencyStore(connection), clock, async () => await connection.GetServers()[0].TimeAsync());
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    private static async Task CheckAsync(IIdempotencyStore store, SteppedClock clock, Func<Task<DateTime>> now)
    {
        IdempotencyId done = NewId(), held = NewId(), late = NewId();
        long doneFence = (await store.TryAcquireAsync(Ask(done))).Fence;
        (await store.CompleteAsync(done, doneFence, IdempotencyCompletion.Completed, new byte[] { 7 }, Day)).Should().BeTrue();
        AcquireResult holder = await store.TryAcquireAsync(Ask(held));

        await SetAsync(-Hour);
        await ExpectDoneAsync();
        (await store.TryAcquireAsync(Ask(held))).Status.Should().Be(AcquireStatus.InFlight, "set back, a lease lasts longer");
        AcquireResult before = await store.TryAcquireAsync(Ask(late) with { Lease = TimeSpan.FromMicroseconds(1) });
        (await store.TryAcquireAsync(Ask(late))).Fence.Should().BeGreaterThan(before.Fence);
        (await store.RenewAsync(held, holder.Fence, Lease)).Should().BeTrue();
        (await store.CompleteAsync(held, holder.Fence, IdempotencyCompletion.Completed, new byte[] { 8 }, Day)).Should().BeTrue("its owner is not disturbed");

        await SetAsync(TimeSpan.Zero);
        await ExpectDoneAsync();
        (await store.TryAcquireAsync(Ask(held))).Payload.ToArray().Should().Equal(8);
        IdempotencyId running = NewId();
        AcquireResult first = await store.TryAcquireAsync(Ask(running));

        await SetAsync(Hour);
        await ExpectDoneAsync();
        AcquireResult second = await store.TryAcquireAsync(Ask(running));
        (second.Status, second.Attempt).Should().Be(
            (AcquireStatus.Acquired, 2), "set forward, a lease ends as if its time had passed: the caller that takes over is told so");
        second.Fence.Should().BeGreaterThan(first.Fence);
        (await store.RenewAsync(running, first.Fence, Lease)).Should().BeFalse("the former owner hears that it lost");
        (await store.CompleteAsync(running, second.Fence, IdempotencyCompletion.Completed, new byte[] { 2 }, Day)).Should().BeTrue();
        (await store.CompleteAsync(running, first.Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Day)).Should().BeFalse("one outcome is kept");

        await SetAsync(TimeSpan.Zero);
        await ExpectDoneAsync();
        (await store.TryAcquireAsync(Ask(running))).Payload.ToArray().Should().Equal(2);

        async Task SetAsync(TimeSpan offset)
        {
            clock.Set(offset);
            (await now() - DateTime.UtcNow - offset).Duration().Should().BeLessThan(TimeSpan.FromMinutes(20), "the server must see the clock that was set");
        }

        async Task ExpectDoneAsync()
        {
            AcquireResult answer = await store.TryAcquireAsync(Ask(done));
            answer.Status.Should().Be(AcquireStatus.Completed);
            answer.Payload.ToArray().Should().Equal(7);
        }
    }

    private static AcquireRequest Ask(IdempotencyId id) => new() { Id = id, Nonce = Guid.NewGuid(), Lease = Lease, Retention = Day, MaxAttempts = 3 };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();
}
