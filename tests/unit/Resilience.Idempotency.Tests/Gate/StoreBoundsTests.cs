using System.Net.Sockets;

namespace Resilience.Idempotency.Tests.Gate;

/// <summary>The way to the store: what a breaker before it sees, what is given back, and that a claim ends whatever a store throws.</summary>
public sealed class StoreBoundsTests
{
    private const int MinimumCalls = 5;

    private static readonly byte[] Receipt = "receipt"u8.ToArray();
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    private static (Kit Kit, UnrulyStore Store, CircuitBreaker Breaker) Guarded(Action<IdempotencyOptions>? configure = null)
    {
        UnrulyStore? store = null;
        CircuitBreaker? breaker = null;
        Kit kit = new(configure, inner =>
        {
            store = new(inner);
            breaker = new(new() { MinimumCalls = MinimumCalls, SamplingDuration = TimeSpan.FromMinutes(1), BreakDuration = TimeSpan.FromMinutes(1) });
            return new GuardedIdempotencyStore(
                store, new ResiliencePipelineBuilder { Classifier = GuardedIdempotencyStore.Classifier }.AddCircuitBreaker(breaker).Build());
        });
        return (kit, store!, breaker!);
    }

    [Theory]
    [InlineData("hangs")]
    [InlineData("rejects")]
    [InlineData("throws something else")]
    [InlineData("times out by itself")]
    [InlineData("throws at once")]
    public async Task A_store_that_is_down_is_asked_by_as_many_calls_as_the_breaker_needs_and_the_rest_do_not_wait(string how)
    {
        (Kit kit, UnrulyStore store, CircuitBreaker breaker) = Guarded();
        store.Before = _ => how switch
        {
            "hangs" => new TaskCompletionSource().Task,
            "rejects" => UnrulyStore.Broken,
            "throws something else" => Task.FromException(new SocketException((int)SocketError.ConnectionRefused)),
            "times out by itself" => Task.FromException(new TaskCanceledException("the client's own timeout")),
            _ => throw new ObjectDisposedException("the pool of connections"),
        };

        int waited = 0;
        for (int call = 0; call < 160; call++)
        {
            Task<IdempotencyResult> entering = kit.Gate.EnterAsync(Kit.NewId(), default).AsTask();
            if (breaker.State == CircuitState.Open)
            {
                IdempotencyResult rejected = await entering.WaitAsync(Kit.Patience); // the clock stands still
                rejected.Status.Should().Be(IdempotencyStatus.StoreUnavailable);
            }
            else
            {
                waited++;
                (await kit.PassUntilAsync(entering, Step)).Status.Should().Be(IdempotencyStatus.StoreUnavailable);
            }
        }

        breaker.State.Should().Be(CircuitState.Open);
        waited.Should().BeLessThanOrEqualTo(MinimumCalls);
        lock (store.Asked) store.Asked.Count(o => o == "acquire").Should().BeLessThanOrEqualTo(MinimumCalls);
    }

    [Fact]
    public async Task A_caller_that_the_breaker_before_the_store_rejects_learns_so_at_once()
    {
        (Kit kit, UnrulyStore store, CircuitBreaker breaker) = Guarded();
        breaker.Isolate();

        IdempotencyResult entry = await kit.Gate.EnterAsync(Kit.NewId(), default).AsTask().WaitAsync(Kit.Patience);

        entry.Status.Should().Be(IdempotencyStatus.StoreUnavailable);
        entry.Error.Should().BeOfType<IdempotencyStoreException>().Which.InnerException.Should().BeOfType<CircuitOpenException>();
        store.Asked.Should().BeEmpty();
    }

    [Fact]
    public async Task What_was_done_is_written_down_when_the_circuit_closes_again_within_the_time_for_it()
    {
        (Kit kit, UnrulyStore store, CircuitBreaker breaker) = Guarded();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        store.Before = _ => UnrulyStore.Broken;
        Task<IdempotencyFinish> finishing = claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask();
        await Kit.UntilAsync(() => store.Asked.Count > 1);
        store.Before = null;
        breaker.Close();

        (await kit.PassUntilAsync(finishing, Step)).Should().Be(IdempotencyFinish.Kept);
    }

    [Fact]
    public async Task An_outcome_that_could_not_be_written_in_time_is_written_later_if_no_other_caller_took_over()
    {
        UnrulyStore? store = null;
        Kit kit = new(null, inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        store!.Before = operation => operation == "complete" ? UnrulyStore.Broken : Task.CompletedTask;
        (await kit.PassUntilAsync(claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask(), Step)).Should().Be(IdempotencyFinish.StoreFailed);

        store.Before = null;

        await PassUntilAsync(kit, async () => (await kit.Memory.PeekAsync(id)).State == IdempotencyState.Completed);
        (await kit.Gate.EnterAsync(id, default)).Content.ToArray().Should().Equal(Receipt);
    }

    [Theory]
    [InlineData("the answer comes too late", 1)]
    [InlineData("the answer comes too late", 5)]
    [InlineData("the answer is lost", 1)]
    [InlineData("the answer is lost", 5)]
    [InlineData("the store hangs after it has granted", 1)]
    [InlineData("giving it back fails at first", 1)]
    public async Task A_claim_that_is_granted_after_the_gate_gave_up_is_given_back(string how, int maxAttempts)
    {
        UnrulyStore? store = null;
        Kit kit = new(o => o.MaxAttempts = maxAttempts, inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        TaskCompletionSource stall = new();
        int releases = 0;
        if (how == "the answer comes too late") store!.Before = operation => operation == "acquire" ? stall.Task : Task.CompletedTask;
        else if (how == "the answer is lost")
            store!.After = operation => operation == "acquire" && !stall.Task.IsCompleted ? UnrulyStore.Broken : Task.CompletedTask;
        else store!.After = operation => operation == "acquire" ? stall.Task : Task.CompletedTask;
        IdempotencyResult entry = await kit.PassUntilAsync(kit.Gate.EnterAsync(id, default).AsTask(), Step);
        entry.Status.Should().Be(IdempotencyStatus.StoreUnavailable, "the gate has given up");

        if (how == "giving it back fails at first")
            store.Before = operation => operation == "release" && Interlocked.Increment(ref releases) < 3 ? UnrulyStore.Broken : Task.CompletedTask;
        else store.Before = how == "the answer comes too late" ? store.Before : null;
        stall.SetResult();

        await PassUntilAsync(kit, async () =>
        {
            lock (store.Asked) if (!store.Asked.Contains("release")) return false;
            return (await kit.Memory.PeekAsync(id)).State == IdempotencyState.Absent;
        });
        IdempotencyResult repeated = await kit.Gate.EnterAsync(id, default);
        repeated.Claim.Should().NotBeNull("nothing was executed, so the repeat may begin at once");
        repeated.Claim!.Attempt.Should().Be(1);
    }

    [Fact]
    public async Task A_claim_that_took_over_and_is_given_back_leaves_the_lapsed_one_known()
    {
        UnrulyStore? store = null;
        Kit kit = new(null, inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        using IdempotencyGate crashed = kit.NewGate();
        _ = (await crashed.EnterAsync(id, default)).Claim;
        crashed.Dispose();
        kit.Time.Advance(2 * Kit.Lease);
        IdempotencyClaim second = (await kit.Gate.EnterAsync(id, default)).Claim!;
        second.TookOver.Should().BeTrue();

        (await second.ReleaseAsync()).Should().Be(IdempotencyFinish.Kept);
        kit.Time.Advance(TimeSpan.FromMilliseconds(1));

        IdempotencyResult third = await kit.Gate.EnterAsync(id, default);
        third.Claim!.Attempt.Should().Be(3, "the first may have done it, and the next attempt must know that");
    }

    public static TheoryData<string, string, string> AnythingAtAnyMoment()
    {
        TheoryData<string, string, string> all = [];
        foreach (string operation in (string[])["acquire", "complete", "complete-unknown", "release", "lapse", "peek"])
        {
            foreach (string moment in (string[])["at once", "before", "after"])
            {
                foreach (string what in (string[])["cancelled", "task cancelled", "unavailable", "corrupt", "argument", "memory"])
                    all.Add(operation, moment, what);
            }
        }

        return all;
    }

    /// <summary>Whatever a store throws, at whatever moment: the caller is answered, the claim ends, and this process can begin again.</summary>
    [Theory]
    [MemberData(nameof(AnythingAtAnyMoment))]
    public async Task A_claim_ends_whatever_the_store_throws_and_whenever(string operation, string moment, string what)
    {
        UnrulyStore? store = null;
        Kit kit = new(o => o.AcquireTimeout = o.FinishTimeout = 2 * Step, inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        if (operation == "acquire") Fail("acquire");
        Task<IdempotencyResult> entering = kit.Gate.EnterAsync(id, default).AsTask();
        IdempotencyResult entry = await kit.PassUntilAsync(entering, Step);
        if (operation != "acquire")
        {
            IdempotencyClaim claim = entry.Claim!;
            Fail(operation is "complete-unknown" ? "complete" : operation is "lapse" ? "renew" : operation);
            switch (operation)
            {
                case "complete":
                    await kit.PassUntilAsync(claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask(), Step);
                    break;
                case "complete-unknown":
                    await kit.PassUntilAsync(claim.CompleteAsUnknownAsync().AsTask(), Step);
                    break;
                case "release":
                    await kit.PassUntilAsync(claim.ReleaseAsync().AsTask(), Step);
                    break;
                case "lapse":
                    await kit.PassUntilAsync(claim.LapseAsync().AsTask(), Step);
                    break;
                default:
                    await kit.PassUntilAsync(kit.Gate.ReadOutcomeAsync(id, default).AsTask(), Step);
                    await claim.DisposeAsync();
                    break;
            }
        }

        kit.Gate.Flights.Should().Be(0, "this process no longer executes it");
        store!.Before = store.After = null;
        kit.Time.Advance(2 * Kit.Lease);
        IdempotencyResult again = default;
        await PassUntilAsync(kit,
            async () => (again = await kit.PassUntilAsync(kit.Gate.EnterAsync(id, default).AsTask(), Step)).Status != IdempotencyStatus.InFlight);
        (again.MayExecute || again.Status is IdempotencyStatus.Replayed or IdempotencyStatus.OutcomeUnknown).Should().BeTrue($"the answer was {again.Status}");

        void Fail(string at)
        {
            if (moment == "after") store!.After = asked => asked == at ? Task.FromException(Thrown()) : Task.CompletedTask;
            else store!.Before = asked => asked != at ? Task.CompletedTask : moment == "at once" ? throw Thrown() : Task.FromException(Thrown());
        }

        Exception Thrown() => what switch
        {
            "cancelled" => new OperationCanceledException(),
            "task cancelled" => new TaskCanceledException("a client that times out by itself"),
            "unavailable" => new IdempotencyStoreException(IdempotencyStoreFault.Unavailable, "planned"),
            "corrupt" => new IdempotencyStoreException(IdempotencyStoreFault.Corrupt, "planned"),
            "argument" => new ArgumentException("planned"),
            _ => new InsufficientMemoryException("planned"),
        };
    }

    [Fact]
    public async Task A_claim_whose_completion_is_cancelled_by_the_store_s_own_client_is_not_locked_in_this_process()
    {
        UnrulyStore? store = null;
        Kit kit = new(null, inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        store!.After = operation => operation == "complete" ? Task.FromException(new TaskCanceledException()) : Task.CompletedTask;

        IdempotencyFinish finish = await kit.PassUntilAsync(claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask(), Step);

        finish.Should().Be(IdempotencyFinish.StoreFailed);
        store.After = null;
        (await kit.Gate.EnterAsync(id, default)).Content.ToArray().Should().Equal(Receipt, "it was written, only the answer was lost");
    }

    private static async Task PassUntilAsync(Kit kit, Func<Task<bool>> holds)
    {
        using CancellationTokenSource limit = new(Kit.Patience);
        while (!await holds())
        {
            limit.Token.ThrowIfCancellationRequested();
            kit.Time.Advance(Step);
            await Task.Delay(1, CancellationToken.None);
        }
    }
}
