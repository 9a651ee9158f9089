using Microsoft.Extensions.Time.Testing;

namespace Resilience.Idempotency.Tests.Gate;

/// <summary>A gate that stops, and what becomes of each claim.</summary>
public sealed class StopTests
{
    /// <summary>Every way for a claim to end while its gate stops, and what another gate receives at once.</summary>
    public static TheoryData<string, IdempotencyStatus, int> Ends => new()
    {
        { "complete", IdempotencyStatus.Replayed, 0 },
        { "unknown", IdempotencyStatus.OutcomeUnknown, 0 },
        { "release", IdempotencyStatus.Claimed, 1 },
        { "lapse", IdempotencyStatus.Claimed, 2 },
        { "hold", IdempotencyStatus.Claimed, 2 },
        { "dispose", IdempotencyStatus.Claimed, 2 },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public async Task However_a_claim_ends_while_its_gate_stops_no_caller_waits_for_its_lease(string how, IdempotencyStatus then, int attempt)
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        Task stopping = kit.Gate.StopAsync();
        stopping.IsCompleted.Should().BeFalse("a claim is open");

        await EndAsync(claim, how);
        await kit.PassUntilAsync(Ended(stopping), TimeSpan.FromMilliseconds(20));

        using IdempotencyGate other = kit.NewGate();
        IdempotencyResult entry = await other.EnterAsync(id, default);
        (entry.Status, entry.Claim?.Attempt ?? 0).Should().Be((then, attempt));
        claim.LeaseLost.IsCancellationRequested.Should().BeFalse("it ended in time");
    }

    [Fact]
    public async Task Before_a_stop_a_held_claim_keeps_its_lease()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        (await kit.Gate.EnterAsync(id, default)).Claim!.Hold();
        using IdempotencyGate other = kit.NewGate();
        (await other.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.InFlight);
    }

    [Fact]
    public async Task A_caller_while_a_gate_stops_receives_what_is_known_and_begins_nothing()
    {
        using Kit kit = new();
        IdempotencyId done = Kit.NewId(), running = Kit.NewId(), fresh = Kit.NewId(), elsewhere = Kit.NewId();
        using IdempotencyGate other = kit.NewGate();
        await (await kit.Gate.EnterAsync(done, default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, "x"u8.ToArray());
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(running, default)).Claim!;
        await using IdempotencyClaim others = (await other.EnterAsync(elsewhere, default)).Claim!;
        kit.Gate.BeginStopping();

        (await kit.Gate.EnterAsync(done, default)).Status.Should().Be(IdempotencyStatus.Replayed);
        (await kit.Gate.EnterAsync(running, default)).Status.Should().Be(IdempotencyStatus.InFlight, "it is under way here");
        (await kit.Gate.EnterAsync(fresh, default)).Status.Should().Be(IdempotencyStatus.Stopping);
        (await kit.Gate.EnterAsync(elsewhere, default)).Status.Should().Be(IdempotencyStatus.Stopping);
        (await kit.Gate.For(new() { MaxAttempts = 1 }).EnterAsync(fresh, default)).Status.Should().Be(IdempotencyStatus.Stopping, "also under other terms");
        (await kit.Memory.PeekAsync(fresh)).State.Should().Be(IdempotencyState.Absent);
        kit.Gate.Flights.Should().Be(1);
        claim.Hold();
        kit.Gate.IsStopping.Should().BeTrue();
    }

    [Fact]
    public async Task The_simple_forms_say_that_the_process_is_stopping()
    {
        using Kit kit = new();
        kit.Gate.BeginStopping();

        (await kit.Gate.ProcessOnceAsync(new("c", "m"), (_, _) => throw new InvalidOperationException("begun"))).Should().Be(MessageResult.InFlight);
        (await kit.Gate.Awaiting(g => g.GetOrAddAsync<string>(new("c", "v"), (_, _) => throw new InvalidOperationException("begun")).AsTask())
            .Should().ThrowAsync<IdempotencyRejectedException>()).Which.Should().Match<IdempotencyRejectedException>(
                e => e.Why == IdempotencyRejectionReason.Stopping && e.Message.Contains("this process is stopping"));
    }

    [Fact]
    public async Task A_duplicate_that_waits_for_another_process_is_let_go()
    {
        using Kit kit = new(o => (o.WhenInFlight, o.MaxWait) = (WhenInFlight.Wait, TimeSpan.FromMinutes(10)));
        using IdempotencyGate other = kit.NewGate();
        IdempotencyId id = Kit.NewId();
        await using IdempotencyClaim claim = (await other.EnterAsync(id, default)).Claim!;
        Task<IdempotencyResult> waits = kit.Gate.EnterAsync(id, default).AsTask();
        await kit.PassAsync(TimeSpan.FromSeconds(1));

        DateTimeOffset before = kit.Time.GetUtcNow();
        Task stopping = kit.Gate.StopAsync();
        await kit.PassUntilAsync(Ended(stopping), TimeSpan.FromMilliseconds(100));

        (kit.Time.GetUtcNow() - before).Should().BeLessThan(TimeSpan.FromSeconds(5), "it looks at least once a second");
        (await waits.WaitAsync(Kit.Patience)).Status.Should().Be(IdempotencyStatus.Stopping);
    }

    [Fact]
    public async Task What_does_not_end_in_time_is_cancelled_and_keeps_its_lease_until_it_ends()
    {
        using Kit kit = new();
        IdempotencyId obedient = Kit.NewId(), deaf = Kit.NewId();
        IdempotencyClaim hears = (await kit.Gate.EnterAsync(obedient, default)).Claim!, hearsNot = (await kit.Gate.EnterAsync(deaf, default)).Claim!;
        using CancellationTokenRegistration ends = hears.LeaseLost.Register(hears.Hold);
        using CancellationTokenSource timeUp = new();
        Task stopping = kit.Gate.StopAsync(timeUp.Token);
        hears.LeaseLost.IsCancellationRequested.Should().BeFalse();

        await timeUp.CancelAsync();
        await kit.PassUntilAsync(Ended(stopping), TimeSpan.FromMilliseconds(100));

        hearsNot.LeaseLost.IsCancellationRequested.Should().BeTrue();
        (hears.IsLost, hearsNot.IsLost).Should().Be((false, false), "no other process has taken them");
        using IdempotencyGate other = kit.NewGate();
        (await other.EnterAsync(obedient, default)).Status.Should().Be(IdempotencyStatus.Claimed);
        (await other.EnterAsync(deaf, default)).Status.Should().Be(IdempotencyStatus.InFlight);
        (await hearsNot.CompleteAsync(IdempotencyPayloadKind.Value, default)).Should().Be(IdempotencyFinish.Kept, "late is not too late");
    }

    [Fact]
    public async Task A_callback_that_blocks_holds_up_neither_the_stop_nor_the_others()
    {
        using IdempotencyGate gate = new();
        using ManualResetEventSlim blocked = new();
        IdempotencyClaim blocks = (await gate.EnterAsync(Kit.NewId(), default)).Claim!, hears = (await gate.EnterAsync(Kit.NewId(), default)).Claim!;
        TaskCompletionSource heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration one = blocks.LeaseLost.Register(blocked.Wait), other = hears.LeaseLost.Register(heard.SetResult);
        try
        {
            await gate.StopAsync(new CancellationToken(canceled: true)).WaitAsync(Kit.Patience);
            await heard.Task.WaitAsync(Kit.Patience);
        }
        finally
        {
            blocked.Set();
        }
    }

    [Fact]
    public async Task What_is_still_to_be_written_to_the_store_is_written_before_the_stop_ends()
    {
        FakeTimeProvider time = new();
        int failures = 3;
        UnrulyStore store = new(new InMemoryIdempotencyStore(timeProvider: time));
        using IdempotencyGate gate = new(store, new() { FinishTimeout = TimeSpan.FromMilliseconds(1) }, time);
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await gate.EnterAsync(id, default)).Claim!;
        store.Before = operation => operation == "release" && failures-- > 0 ? UnrulyStore.Broken : Task.CompletedTask;
        Task<IdempotencyFinish> release = claim.ReleaseAsync().AsTask();
        Task stopping = gate.StopAsync();

        using CancellationTokenSource limit = new(Kit.Patience);
        while (!stopping.IsCompleted)
        {
            limit.Token.ThrowIfCancellationRequested();
            time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.WhenAny(stopping, Task.Delay(1, CancellationToken.None));
        }

        await release;
        (await store.PeekAsync(id)).State.Should().Be(IdempotencyState.Absent, "it was given back");
    }

    private static async Task<int> Ended(Task task)
    {
        await task;
        return 0;
    }

    private static async Task EndAsync(IdempotencyClaim claim, string how)
    {
        switch (how)
        {
            case "complete":
                await claim.CompleteAsync(IdempotencyPayloadKind.Value, "x"u8.ToArray());
                break;
            case "unknown":
                await claim.CompleteAsUnknownAsync();
                break;
            case "release":
                await claim.ReleaseAsync();
                break;
            case "lapse":
                await claim.LapseAsync();
                break;
            case "hold":
                claim.Hold();
                break;
            default:
                await claim.DisposeAsync();
                break;
        }
    }
}
