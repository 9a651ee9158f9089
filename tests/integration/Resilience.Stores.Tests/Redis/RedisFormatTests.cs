using Resilience.StoreTests.Servers;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>Two versions beside each other: a process that writes hashes (format 1) and ours, which writes packed strings (format 2) and reads both.</summary>
public sealed class RedisFormatTests(RedisServer server) : IClassFixture<RedisServer>
{
    private static readonly Fingerprint This = Fingerprint.Of("this");
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);
    private static readonly byte[] Receipt = [1, 0, 255];

    private static AcquireRequest Ask(IdempotencyId id, Fingerprint? fingerprint = null) => new()
    {
        Id = id,
        Fingerprint = fingerprint ?? This,
        Nonce = Guid.NewGuid(),
        Lease = Long,
        Retention = Long,
        MaxAttempts = 3,
    };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    [Fact]
    public async Task What_a_process_of_the_former_version_has_written_is_read_and_goes_on()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        RedisIdempotencyStore store = new(connection);
        Former former = new(connection, store);

        IdempotencyId held = NewId();
        long fence = await former.AcquireAsync(held);
        AcquireResult answer = await store.TryAcquireAsync(Ask(held));
        (answer.Status, answer.Fence).Should().Be((AcquireStatus.InFlight, fence));
        (await store.TryAcquireAsync(Ask(held, Fingerprint.Of("other")))).Status.Should().Be(AcquireStatus.Mismatch);
        (await store.PeekAsync(held)).State.Should().Be(IdempotencyState.InFlight);
        (await store.RenewAsync(held, fence, Long)).Should().BeTrue();
        (await store.CompleteAsync(held, fence, IdempotencyCompletion.Completed, Receipt, Long)).Should().BeTrue("a claim of the former version can be completed by ours");
        (await store.TryAcquireAsync(Ask(held))).Payload.ToArray().Should().Equal(Receipt);

        IdempotencyId done = NewId();
        await former.CompleteAsync(done, await former.AcquireAsync(done), "2");
        answer = await store.TryAcquireAsync(Ask(done));
        (answer.Status, answer.Completion).Should().Be((AcquireStatus.Completed, IdempotencyCompletion.Completed));
        answer.Payload.ToArray().Should().Equal(Receipt);
        answer.KeptFor.Should().BePositive().And.BeLessThanOrEqualTo(Long);

        IdempotencyId unknown = NewId();
        await former.CompleteAsync(unknown, await former.AcquireAsync(unknown), "4");
        (await store.TryAcquireAsync(Ask(unknown))).Completion.Should().Be(IdempotencyCompletion.OutcomeUnknown);
        (await store.ResolveRecordAsync(new() { Id = unknown, Nonce = Guid.NewGuid(), Completion = IdempotencyCompletion.None })).Status.Should().Be(ResolveStatus.Resolved);
        (await store.TryAcquireAsync(Ask(unknown))).Status.Should().Be(AcquireStatus.Acquired);

        IdempotencyId released = NewId();
        fence = await former.AcquireAsync(released);
        await former.ReleaseAsync(released, fence);
        (await store.ReleaseAsync(released, fence)).Should().BeTrue("it was, by the former version");
        answer = await store.TryAcquireAsync(Ask(released));
        answer.Status.Should().Be(AcquireStatus.Acquired);
        answer.Fence.Should().BeGreaterThan(fence);

        IdempotencyId lapsed = NewId();
        fence = await former.AcquireAsync(lapsed, TimeSpan.FromMicroseconds(1));
        answer = await store.TryAcquireAsync(Ask(lapsed));
        (answer.Status, answer.Attempt, answer.TookOver).Should().Be((AcquireStatus.Acquired, 2, true));
        answer.Fence.Should().BeGreaterThan(fence);
        (await store.CompleteAsync(lapsed, fence, IdempotencyCompletion.Completed, Receipt, Long)).Should().BeFalse("the former owner was replaced");
    }

    [Fact]
    public async Task A_process_of_the_former_version_is_never_granted_what_ours_holds_or_has_done()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        RedisIdempotencyStore store = new(connection);
        Former former = new(connection, store);
        IdempotencyId held = NewId(), done = NewId(), taken = NewId();
        await store.TryAcquireAsync(Ask(held));
        await store.CompleteAsync(done, (await store.TryAcquireAsync(Ask(done))).Fence, IdempotencyCompletion.Completed, Receipt, Long);
        long late = await former.AcquireAsync(taken, TimeSpan.FromMicroseconds(1));
        long fence = (await store.TryAcquireAsync(Ask(taken))).Fence;

        foreach (IdempotencyId id in new[] { held, done, taken })
            (await FluentActions.Awaiting(() => former.AcquireAsync(id)).Should().ThrowAsync<RedisServerException>()).Which.Message.Should().Contain("WRONGTYPE");
        await FluentActions.Awaiting(() => former.CompleteAsync(taken, late, "2")).Should().ThrowAsync<RedisServerException>();
        (await store.CompleteAsync(taken, fence, IdempotencyCompletion.Completed, Receipt, Long)).Should().BeTrue();
    }

    [Fact]
    public async Task A_newer_format_is_rejected_at_the_start_in_one_sentence_and_each_record_of_it_by_itself()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        RedisIdempotencyStore store = new(connection, new() { KeyPrefix = "newer:" });
        await store.CheckAsync();
        await store.CheckAsync();
        ((int)await connection.GetDatabase().StringGetAsync("newer:format")).Should().Be(2);
        await connection.GetDatabase().StringSetAsync("newer:format", "3");

        IdempotencyStoreException rejected = (await store.Invoking(s => s.CheckAsync()).Should().ThrowAsync<IdempotencyStoreException>()).Which;
        rejected.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);
        rejected.Message.Should().Be(
            "Records in Redis have format 3 (key newer:format), which a newer version of this library writes; this one reads formats 1 and 2.");
        using IdempotencyGate gate = new(store);
        (await gate.Invoking(g => g.CheckStoreAsync()).Should().ThrowAsync<IdempotencyStoreException>()).Which.Message.Should().Contain("format 3");
    }

    /// <summary>The scripts of format 1, as a process of the former version runs them.</summary>
    private sealed class Former(ConnectionMultiplexer connection, RedisIdempotencyStore store)
    {
        internal async Task<long> AcquireAsync(IdempotencyId id, TimeSpan? lease = null)
        {
            RedisResult[] said = (RedisResult[]?)await RunAsync(
                "acquire", id, [This.ToArray(), Guid.NewGuid().ToByteArray(), Micros(lease ?? Long), Micros(Long), 3]) ?? [];
            ((string?)said[0]).Should().Be("A");
            return (long)said[1];
        }

        internal async Task CompleteAsync(IdempotencyId id, long fence, string state) =>
            ((int)await RunAsync("complete", id, [fence, state, Receipt, Micros(Long)])).Should().Be(1);

        internal async Task ReleaseAsync(IdempotencyId id, long fence) => ((int)await RunAsync("release", id, [fence])).Should().Be(1);

        private static long Micros(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

        private async Task<RedisResult> RunAsync(string step, IdempotencyId id, RedisValue[] values) =>
            await connection.GetDatabase().ScriptEvaluateAsync(await TextAsync("record") + await TextAsync(step), [store.KeyOf(id)], values);

        private static Task<string> TextAsync(string name) => File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Redis", "Format1", name + ".lua"));
    }
}
