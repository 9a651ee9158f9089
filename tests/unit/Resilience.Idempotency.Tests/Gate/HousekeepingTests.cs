namespace Resilience.Idempotency.Tests.Gate;

/// <summary>What the gate does beside the calls: sweeping, looking after a loss, and telling those who no longer listen.</summary>
public sealed class HousekeepingTests
{
    private static readonly byte[] Receipt = "receipt"u8.ToArray();

    private static (Kit Kit, UnrulyStore Store) New(Action<IdempotencyOptions>? configure = null)
    {
        UnrulyStore? store = null;
        Kit kit = new(configure, inner => store = new(inner));
        return (kit, store!);
    }

    private static int Sweeps(UnrulyStore store)
    {
        lock (store.Asked) return store.Asked.Count(a => a == "purge");
    }

    [Fact]
    public async Task Expired_records_are_swept_behind_a_call_as_long_as_there_are_more()
    {
        (Kit kit, UnrulyStore store) = New();
        int left = 2003;
        store.Swept = () =>
        {
            int now = Math.Min(left, 1000);
            left -= now;
            return now;
        };
        await kit.Gate.EnterAsync(Kit.NewId(), default);
        Sweeps(store).Should().Be(0, "the interval has not passed");
        kit.Time.Advance(TimeSpan.FromMinutes(1));
        await kit.Gate.EnterAsync(Kit.NewId(), default);
        await Kit.UntilAsync(() => Sweeps(store) == 3);
        await kit.Gate.EnterAsync(Kit.NewId(), default);

        left.Should().Be(0);
        Sweeps(store).Should().Be(3, "once in an interval");
    }

    [Fact]
    public async Task A_sweep_that_fails_fails_no_call_and_the_next_interval_tries_again()
    {
        (Kit kit, UnrulyStore store) = New();
        store.Before = operation => operation == "purge" ? UnrulyStore.Broken : Task.CompletedTask;
        for (int interval = 1; interval <= 2; interval++)
        {
            kit.Time.Advance(TimeSpan.FromMinutes(1));
            (await kit.Gate.EnterAsync(Kit.NewId(), default)).Status.Should().Be(IdempotencyStatus.Claimed);
            await Kit.UntilAsync(() => Sweeps(store) == interval);
        }
    }

    [Fact]
    public async Task With_an_interval_of_zero_nothing_is_swept()
    {
        (Kit kit, UnrulyStore store) = New(o => o.PurgeInterval = TimeSpan.Zero);
        kit.Time.Advance(TimeSpan.FromDays(1));
        await kit.Gate.EnterAsync(Kit.NewId(), default);
        Sweeps(store).Should().Be(0);
    }

    [Fact]
    public async Task After_a_loss_the_outcome_is_what_the_store_says_at_that_moment()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyId id = Kit.NewId();
        (await kit.Gate.ReadOutcomeAsync(id, default)).Status.Should().Be(IdempotencyStatus.InFlight, "no outcome is known");
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        (await kit.Gate.ReadOutcomeAsync(id, default)).RetryAfter.Should().Be(TimeSpan.FromSeconds(1), "the owner is alive, as far as is known");
        await claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        (await kit.Gate.ReadOutcomeAsync(id, default)).Content.ToArray().Should().Equal(Receipt);
        (await kit.Gate.ReadOutcomeAsync(id, Fingerprint.Of("other"))).Status.Should().Be(IdempotencyStatus.KeyReused);

        // It expires between the look and the question: what was claimed by looking is given back.
        store.After = operation =>
        {
            if (operation == "peek") kit.Time.Advance(TimeSpan.FromDays(30));
            return Task.CompletedTask;
        };
        (await kit.Gate.ReadOutcomeAsync(id, default)).Status.Should().Be(IdempotencyStatus.InFlight);
        (await kit.Memory.PeekAsync(id)).State.Should().Be(IdempotencyState.Absent);
    }

    [Theory]
    [InlineData(IdempotencyStoreFault.Corrupt, IdempotencyStatus.Unreadable)]
    [InlineData(IdempotencyStoreFault.Unavailable, IdempotencyStatus.StoreUnavailable)]
    public async Task After_a_loss_a_store_that_fails_gives_no_outcome(IdempotencyStoreFault fault, IdempotencyStatus expected)
    {
        (Kit kit, UnrulyStore store) = New();
        store.Before = _ => Task.FromException(new IdempotencyStoreException(fault, "planned"));
        (await kit.Gate.ReadOutcomeAsync(Kit.NewId(), default)).Status.Should().Be(expected);
    }

    [Fact]
    public async Task A_claim_without_protection_is_never_given_back_to_a_store()
    {
        (Kit kit, UnrulyStore store) = New(o => o.WhenStoreFails = WhenStoreFails.RunUnprotected);
        store.Before = _ => UnrulyStore.Broken;
        IdempotencyClaim claim = (await kit.PassUntilAsync(kit.Gate.EnterAsync(Kit.NewId(), default).AsTask(), TimeSpan.FromMilliseconds(50))).Claim!;
        store.Asked.Clear();
        (await claim.ReleaseAsync()).Should().Be(IdempotencyFinish.Unprotected);
        store.Asked.Should().BeEmpty();
    }

    [Fact]
    public async Task A_loss_is_reported_once_also_to_a_late_callback_and_one_that_throws_stops_no_other()
    {
        using Kit kit = new();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(Kit.NewId(), default)).Claim!;
        int heard = 0;
        using CancellationTokenRegistration fails = claim.LeaseLost.Register(() => throw new FormatException("planned"));
        using CancellationTokenRegistration counts = claim.LeaseLost.Register(() => heard++);
        claim.Lose();
        claim.Lose();
        heard.Should().Be(1);

        IdempotencyClaim unwatched = (await kit.Gate.EnterAsync(Kit.NewId(), default)).Claim!;
        unwatched.Lose();
        unwatched.LeaseLost.IsCancellationRequested.Should().BeTrue();
        unwatched.LeaseLost.IsCancellationRequested.Should().BeTrue("the same token again");
    }

    /// <summary>Who hears that the lease is lost may call anything of ours at once, also what waits.</summary>
    [Theory]
    [InlineData("complete")]
    [InlineData("unknown")]
    [InlineData("release")]
    [InlineData("hold")]
    [InlineData("dispose of the claim")]
    [InlineData("dispose of the gate")]
    [InlineData("enter the same")]
    [InlineData("enter another")]
    [InlineData("lose")]
    [InlineData("register and throw")]
    public async Task Who_hears_of_a_lost_lease_may_call_everything_and_nothing_waits_for_itself(string what)
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        Task called = Task.CompletedTask;
        int heard = 0;
        using CancellationTokenRegistration after = claim.LeaseLost.Register(() => heard++);
        using CancellationTokenRegistration before = claim.LeaseLost.Register(() => called = CallAsync());
        await Task.Run(claim.Lose).WaitAsync(Kit.Patience);
        heard.Should().Be(1, "one that calls us keeps no other from being called");
        if (what is not ("enter the same" or "register and throw")) await called.WaitAsync(Kit.Patience); // the same key is held by this claim
        claim.LeaseLost.IsCancellationRequested.Should().BeTrue();
        if (what is not ("complete" or "unknown" or "release" or "hold" or "dispose of the claim"))
            await claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask().WaitAsync(Kit.Patience); // it has not been ended yet, and can be
        await claim.DisposeAsync().AsTask().WaitAsync(Kit.Patience);

        Task CallAsync()
        {
            switch (what)
            {
                case "complete": return claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask();
                case "unknown": return claim.CompleteAsUnknownAsync().AsTask();
                case "release": return claim.ReleaseAsync().AsTask();
                case "hold": claim.Hold(); break;
                case "dispose of the claim": return claim.DisposeAsync().AsTask();
                case "dispose of the gate": kit.Gate.Dispose(); break;
                case "enter the same": return kit.Gate.EnterAsync(id, default).AsTask();
                case "enter another": return kit.Gate.EnterAsync(Kit.NewId(), default).AsTask();
                case "lose": claim.Lose(); break;
                default: claim.LeaseLost.Register(() => throw new FormatException("planned")); break;
            }

            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task A_renewal_that_comes_back_after_the_end_of_its_claim_changes_nothing()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        TaskCompletionSource renewing = new(), mayAnswer = new();
        store.After = operation =>
        {
            if (operation != "renew") return Task.CompletedTask;
            renewing.TrySetResult();
            return mayAnswer.Task;
        };
        await kit.PassAsync(Kit.Lease / 2);
        await renewing.Task.WaitAsync(Kit.Patience);
        (await claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt)).Should().Be(IdempotencyFinish.Kept);
        mayAnswer.SetResult();
        await kit.PassAsync(Kit.Lease * 2);

        claim.IsLost.Should().BeFalse();
        kit.Events.OfType<IdempotencyClaimLost>().Should().BeEmpty();
    }

    [Fact]
    public async Task A_gate_that_is_disposed_renews_no_more()
    {
        (Kit kit, UnrulyStore store) = New();
        await kit.Gate.EnterAsync(Kit.NewId(), default);
        kit.Gate.Dispose();
        await kit.PassAsync(Kit.Lease * 2);
        store.Asked.Should().Equal("acquire");
        kit.NewGate().Dispose(); // before any claim there is no timer
    }

    [Fact]
    public async Task A_gate_works_where_the_flow_of_the_context_is_suppressed()
    {
        (Kit kit, UnrulyStore store) = New();
        Task<IdempotencyResult> entering;
        using (ExecutionContext.SuppressFlow()) entering = kit.Gate.EnterAsync(Kit.NewId(), default).AsTask();
        (await entering).Status.Should().Be(IdempotencyStatus.Claimed);
        await kit.PassAsync(Kit.Lease / 2);
        await Kit.UntilAsync(() =>
        {
            lock (store.Asked) return store.Asked.Contains("renew");
        });
    }

    [Fact]
    public async Task A_message_whose_operation_was_done_without_a_result_was_seen_before()
    {
        using Kit kit = new();
        IdempotencyKey key = new("consumer", "message");
        await (await kit.Gate.EnterAsync(key.ToId(), default)).Claim!.CompleteAsync(IdempotencyPayloadKind.DoneWithoutResult, default);
        MessageResult answer = await kit.Gate.ProcessOnceAsync(key, (_, _) => throw new InvalidOperationException("must not run"));
        answer.Should().Be(MessageResult.SeenBefore);
    }

    [Fact]
    public async Task A_value_can_be_created_with_a_serializer_of_ones_own()
    {
        using Kit kit = new();
        IdempotencyKey key = new("shop", "order");
        int made = 0;
        for (int i = 0; i < 2; i++)
        {
            long number = await kit.Gate.GetOrAddAsync(key, (_, _) => new ValueTask<long>(++made), JsonIdempotencySerializer.Simple);
            number.Should().Be(1);
        }
    }
}
