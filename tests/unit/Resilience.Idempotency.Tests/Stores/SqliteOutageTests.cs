using Microsoft.Data.Sqlite;
using Resilience.Tests;

namespace Resilience.Idempotency.Tests.Stores;

/// <summary>A file that another process has locked, a disk that is full, and a clock that is set.</summary>
public sealed class SqliteOutageTests : IAsyncLifetime
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly SqliteSubject _subject = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _subject.DisposeAsync();

    private static AcquireRequest Request(IdempotencyId id, TimeSpan? lease = null) =>
        new() { Id = id, Nonce = Guid.NewGuid(), Lease = lease ?? Hour, Retention = Hour, MaxAttempts = 5 };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    [Fact]
    public async Task While_another_process_has_the_file_every_step_is_unavailable_and_afterwards_as_if_it_had_not_been_asked()
    {
        await using SqliteIdempotencyStore store = new(
            new SqliteIdempotencyOptions { ConnectionString = _subject.ConnectionString, BusyTimeout = TimeSpan.FromMilliseconds(1) });
        IdempotencyId renewed = NewId(), completed = NewId(), released = NewId(), free = NewId();
        long first = (await store.TryAcquireAsync(Request(renewed))).Fence, second = (await store.TryAcquireAsync(Request(completed))).Fence;
        long third = (await store.TryAcquireAsync(Request(released))).Fence;
        (string Name, Func<Task<string>> Ask)[] steps =
        [
            ("acquire", async () => $"{(await store.TryAcquireAsync(Request(free))).Status}"),
            ("renew", async () => $"{await store.RenewAsync(renewed, first, Hour)}"),
            ("complete", async () => $"{await store.CompleteAsync(completed, second, IdempotencyCompletion.Completed, new byte[] { 7 }, Hour)}"),
            ("release", async () => $"{await store.ReleaseAsync(released, third)}"),
            ("peek", async () => $"{(await store.PeekAsync(renewed)).State}"),
            ("purge", async () => $"{await store.PurgeAsync(10)}"),
        ];
        await using SqliteConnection other = new(_subject.ConnectionString + ";Pooling=false");
        await other.OpenAsync();
        await using (SqliteTransaction writing = other.BeginTransaction(deferred: false))
        {
            foreach ((string name, Task<string> asking) in steps.Select(s => (s.Name, s.Ask())).ToList())
            {
                (await FluentActions.Awaiting(() => asking).Should().ThrowAsync<IdempotencyStoreException>(name)).Which.IsTransient.Should().BeTrue();
            }
        }

        List<string> answers = [];
        foreach ((_, Func<Task<string>> ask) in steps) answers.Add(await ask());

        answers.Should().Equal("Acquired", "True", "True", "True", "InFlight", "0");
    }

    [Fact]
    public async Task A_full_disk_begins_nothing_new_and_still_answers_what_is_done()
    {
        await using SqliteIdempotencyStore store = new(new SqliteIdempotencyOptions { ConnectionString = _subject.ConnectionString });
        using IdempotencyGate gate = new(store);
        int executions = 0;
        Task<string> ChargeAsync(int i) =>
            gate.GetOrAddAsync(IdempotencyKey.Shared($"{i}"), (_, _) => new ValueTask<string>($"receipt {Interlocked.Increment(ref executions)}")).AsTask();
        (await ChargeAsync(0)).Should().Be("receipt 1");
        SqliteStoreTests.LimitPages(store); // a limit on the number of pages stands for the disk: SQLite answers with the same error, 13

        int done = 1;
        IdempotencyRejectedException rejected = (await FluentActions.Awaiting(async () =>
        {
            for (; done < 1000; done++) await ChargeAsync(done);
        }).Should().ThrowAsync<IdempotencyRejectedException>()).Which;

        rejected.Why.Should().Be(IdempotencyRejectionReason.StoreUnavailable);
        rejected.Message.Should().Contain("Error 13");
        executions.Should().Be(done, "what is rejected is not executed");
        await using SqliteIdempotencyStore again = new(new SqliteIdempotencyOptions { ConnectionString = _subject.ConnectionString });
        using IdempotencyGate other = new(again);
        for (int i = 0; i < done; i++)
            (await other.GetOrAddAsync(IdempotencyKey.Shared($"{i}"), (_, _) => new ValueTask<string>("twice"))).Should().Be($"receipt {i + 1}");
    }

    [Fact]
    public async Task A_clock_that_is_set_back_only_makes_leases_longer_and_one_that_is_set_forward_ends_them_as_if_time_had_passed()
    {
        ManualTime time = new();
        await using SqliteIdempotencyStore store = new(new SqliteIdempotencyOptions { ConnectionString = _subject.ConnectionString }, time);
        IdempotencyId open = NewId(), done = NewId(), free = NewId();
        AcquireResult claim = await store.TryAcquireAsync(Request(open, TimeSpan.FromMinutes(1)) with { Retention = TimeSpan.FromDays(2) });
        await store.CompleteAsync(done, (await store.TryAcquireAsync(Request(done))).Fence, IdempotencyCompletion.Completed, new byte[] { 7 },
            TimeSpan.FromDays(2));
        AcquireResult given = await store.TryAcquireAsync(Request(free));
        await store.ReleaseAsync(free, given.Fence);

        time.StepWallClock(TimeSpan.FromHours(-1));
        (await store.TryAcquireAsync(Request(open))).Status.Should().Be(AcquireStatus.InFlight);
        (await store.TryAcquireAsync(Request(done))).Status.Should().Be(AcquireStatus.Completed);
        (await store.TryAcquireAsync(Request(free))).Fence.Should().BeGreaterThan(given.Fence, "fences do not turn back with the clock");
        (await store.RenewAsync(open, claim.Fence, TimeSpan.FromMinutes(1))).Should().BeTrue();

        time.StepWallClock(TimeSpan.FromHours(2));
        AcquireResult next = await store.TryAcquireAsync(Request(open));
        (next.Status, next.Attempt).Should().Be((AcquireStatus.Acquired, 2), "a second execution is a takeover, and says so");
        next.Fence.Should().BeGreaterThan(claim.Fence);
        (await store.CompleteAsync(open, claim.Fence, IdempotencyCompletion.Completed, default, Hour)).Should().BeFalse();
        (await store.TryAcquireAsync(Request(done))).Payload.ToArray().Should().Equal(7);
    }
}
