namespace Resilience.Idempotency.Tests.Gate;

/// <summary>Renewal, and what happens when a lease is lost.</summary>
public sealed class LeaseTests
{
    private static async Task<IdempotencyClaim> ClaimAsync(IdempotencyGate gate, IdempotencyId id) => (await gate.EnterAsync(id, default)).Claim!;

    [Fact]
    public async Task A_call_that_runs_for_ten_leases_keeps_its_claim()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = await ClaimAsync(kit.Gate, id);
        IdempotencyGate rival = kit.NewGate();
        for (int i = 0; i < 10; i++)
        {
            await kit.PassAsync(Kit.Lease);
            (await rival.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.InFlight);
        }

        claim.LeaseLost.IsCancellationRequested.Should().BeFalse();
        (await claim.CompleteAsync(IdempotencyPayloadKind.Value, default)).Should().Be(IdempotencyFinish.Kept);
    }

    [Fact]
    public async Task A_call_that_is_done_within_a_third_of_the_lease_asks_for_no_renewal()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        IdempotencyClaim claim = await ClaimAsync(kit.Gate, Kit.NewId());
        await kit.PassAsync(Kit.Lease * 0.29);
        await claim.CompleteAsync(IdempotencyPayloadKind.Value, default);
        await kit.PassAsync(Kit.Lease * 3);

        store!.Asked.Should().Equal("acquire", "complete");
    }

    [Fact]
    public async Task When_another_caller_took_over_the_call_is_notified_and_its_outcome_does_not_count()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = await ClaimAsync(kit.Gate, id);
        TaskCompletionSource told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration registration = claim.LeaseLost.Register(told.SetResult);

        // The process slept through its lease: no timer ran, and another process took over.
        await TakeOverBehindTheGateAsync(kit, id);
        await kit.PassAsync(Kit.Lease / 2);
        await told.Task.WaitAsync(Kit.Patience);

        claim.IsLost.Should().BeTrue();
        (await claim.CompleteAsync(IdempotencyPayloadKind.Value, "mine"u8.ToArray())).Should().Be(IdempotencyFinish.Lost);
        kit.Events.Should().ContainSingle(e => e is IdempotencyClaimLost);
        (await kit.Gate.ReadOutcomeAsync(id, default)).Content.ToArray().Should().Equal("theirs"u8.ToArray());
    }

    /// <summary>Releases and completes in the name of the other one, so that no clock has to move.</summary>
    private static async Task TakeOverBehindTheGateAsync(Kit kit, IdempotencyId id)
    {
        PeekResult seen = await kit.Memory.PeekAsync(id);
        await kit.Memory.ReleaseAsync(id, seen.Fence);
        AcquireResult other = await kit.Memory.TryAcquireAsync(
            new() { Id = id, Nonce = Guid.NewGuid(), Lease = Kit.Lease, Retention = TimeSpan.FromHours(1), MaxAttempts = 5 });
        await kit.Memory.CompleteAsync(
            id, other.Fence, IdempotencyCompletion.Completed, IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "theirs"u8), TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task When_the_store_is_down_for_longer_than_the_lease_the_call_is_notified_before_the_lease_ends()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = await ClaimAsync(kit.Gate, id);
        CancellationToken lost = claim.LeaseLost;
        store!.Before = operation => operation == "renew" ? UnrulyStore.Broken : Task.CompletedTask;

        await kit.PassAsync(Kit.Lease * 0.85, 60);
        lost.IsCancellationRequested.Should().BeFalse("there is time to ask again");
        await kit.PassAsync(Kit.Lease * 0.14, 20);
        await Kit.UntilAsync(() => lost.IsCancellationRequested);

        (await kit.Memory.PeekAsync(id)).State.Should().Be(IdempotencyState.InFlight, "we stop before others may begin");
    }

    [Fact]
    public async Task A_store_that_comes_back_in_time_keeps_the_claim()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        IdempotencyClaim claim = await ClaimAsync(kit.Gate, Kit.NewId());
        store!.Before = operation => operation == "renew" ? UnrulyStore.Broken : Task.CompletedTask;
        await kit.PassAsync(Kit.Lease * 0.7, 40);
        store.Before = null;

        await kit.PassAsync(Kit.Lease * 2, 60);

        claim.IsLost.Should().BeFalse();
        (await claim.CompleteAsync(IdempotencyPayloadKind.Value, default)).Should().Be(IdempotencyFinish.Kept);
    }

    [Fact]
    public async Task A_process_that_slept_past_its_lease_but_was_not_replaced_goes_on()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = await ClaimAsync(kit.Gate, id);

        kit.Time.Advance(Kit.Lease * 3); // one jump: no timer ran in between
        await kit.PassAsync(TimeSpan.FromSeconds(1), 2);

        claim.IsLost.Should().BeFalse();
        (await claim.CompleteAsync(IdempotencyPayloadKind.Value, default)).Should().Be(IdempotencyFinish.Kept);
    }

    [Fact]
    public async Task A_renewal_that_crosses_with_the_completion_is_no_loss()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        IdempotencyClaim claim = await ClaimAsync(kit.Gate, Kit.NewId());
        TaskCompletionSource renewal = new(TaskCreationOptions.RunContinuationsAsynchronously),
            completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        store!.Before = operation => operation == "renew" ? renewal.Task : Task.CompletedTask;
        store.After = operation => operation == "complete" ? completion.Task : Task.CompletedTask;
        await kit.PassAsync(Kit.Lease * 0.45);
        store.Asked.Should().Contain("renew");

        Task<IdempotencyFinish> completing = claim.CompleteAsync(IdempotencyPayloadKind.Value, default).AsTask();
        await Kit.UntilAsync(() => store.Asked.Contains("complete"));
        renewal.SetResult(); // the store says: no longer in progress
        await kit.PassAsync(TimeSpan.FromSeconds(1));
        completion.SetResult();

        (await completing.WaitAsync(Kit.Patience)).Should().Be(IdempotencyFinish.Kept);
        claim.IsLost.Should().BeFalse();
        kit.Events.Should().NotContain(e => e is IdempotencyClaimLost);
    }

    [Fact]
    public async Task A_call_that_hangs_does_not_hold_its_key_for_ever()
    {
        using Kit kit = new(o => o.MaxExecution = TimeSpan.FromMinutes(2));
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim hanging = await ClaimAsync(kit.Gate, id);
        IdempotencyGate rival = kit.NewGate();

        await kit.PassAsync(TimeSpan.FromMinutes(1.9), 100);
        (await rival.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.InFlight);
        await kit.PassAsync(TimeSpan.FromMinutes(1), 100);

        hanging.IsLost.Should().BeTrue();
        (await rival.EnterAsync(id, default)).Claim!.TookOver.Should().BeTrue();
    }

    [Fact]
    public async Task Renewals_of_many_claims_are_spread()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        for (int i = 0; i < 50; i++) await ClaimAsync(kit.Gate, Kit.NewId());

        List<int> perStep = [];
        for (int i = 0; i < 30; i++)
        {
            int before = store!.Asked.Count;
            await kit.PassAsync(Kit.Lease / 60, 1);
            perStep.Add(store.Asked.Count - before);
        }

        perStep.Sum().Should().Be(50, "each is renewed once in half a lease");
        perStep.Count(n => n > 0).Should().BeGreaterThan(1);
    }

    [Fact]
    public async Task The_timer_stops_when_nothing_is_open()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        await (await ClaimAsync(kit.Gate, Kit.NewId())).ReleaseAsync();
        await kit.PassAsync(Kit.Lease);
        IdempotencyClaim later = await ClaimAsync(kit.Gate, Kit.NewId());
        await kit.PassAsync(Kit.Lease * 2, 60);

        later.IsLost.Should().BeFalse("the timer runs again for a claim that comes later");
        store!.Asked.Should().Contain("renew");
    }
}
