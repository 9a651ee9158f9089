namespace Resilience.Idempotency.Tests.Gate;

/// <summary>The store fails, hangs, or does what it was asked and the answer is lost.</summary>
public sealed class OutageTests
{
    private static readonly byte[] Receipt = "receipt"u8.ToArray();

    private static (Kit Kit, UnrulyStore Store) New(Action<IdempotencyOptions>? configure = null)
    {
        UnrulyStore? store = null;
        Kit kit = new(configure, inner => store = new(inner));
        return (kit, store!);
    }

    [Fact]
    public async Task Nothing_is_executed_when_the_store_cannot_be_asked()
    {
        (Kit kit, UnrulyStore store) = New();
        store.Before = _ => UnrulyStore.Broken;

        IdempotencyResult entry = await kit.PassUntilAsync(kit.Gate.EnterAsync(Kit.NewId(), default).AsTask(), TimeSpan.FromMilliseconds(50));

        entry.Status.Should().Be(IdempotencyStatus.StoreUnavailable);
        entry.MayExecute.Should().BeFalse();
        entry.RetryAfter.Should().BePositive();
        store.Asked.Count.Should().BeGreaterThan(1, "there was time to ask again");
    }

    [Fact]
    public async Task Without_protection_only_when_that_was_asked_for_and_then_loudly()
    {
        (Kit kit, UnrulyStore store) = New(o => o.WhenStoreFails = WhenStoreFails.RunUnprotected);
        store.Before = _ => UnrulyStore.Broken;

        IdempotencyResult entry = await kit.PassUntilAsync(kit.Gate.EnterAsync(Kit.NewId(), default).AsTask(), TimeSpan.FromMilliseconds(50));

        entry.Status.Should().Be(IdempotencyStatus.Unprotected);
        entry.Error.Should().BeOfType<IdempotencyStoreException>();
        entry.Claim!.Should().Match<IdempotencyClaim>(c => !c.IsProtected && c.Fence == 0);
        (await entry.Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt)).Should().Be(IdempotencyFinish.Unprotected);
        kit.Events.OfType<IdempotencyChecked>().Should().ContainSingle(e => e.Status == IdempotencyStatus.Unprotected);
    }

    [Fact]
    public async Task A_damaged_record_is_not_executed_even_when_running_unprotected_is_allowed()
    {
        (Kit kit, UnrulyStore store) = New(o => o.WhenStoreFails = WhenStoreFails.RunUnprotected);
        store.Before = _ => Task.FromException(new IdempotencyStoreException(IdempotencyStoreFault.Corrupt, "not a record"));

        (await kit.Gate.EnterAsync(Kit.NewId(), default)).Should().Match<IdempotencyResult>(e => e.Status == IdempotencyStatus.Unreadable && !e.MayExecute);
    }

    [Fact]
    public async Task A_claim_whose_answer_was_lost_is_asked_for_again_and_is_the_same()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyId id = Kit.NewId();
        int lost = 0;
        store.After = operation => operation == "acquire" && Interlocked.Increment(ref lost) == 1 ? UnrulyStore.Broken : Task.CompletedTask;

        IdempotencyResult entry = await kit.PassUntilAsync(kit.Gate.EnterAsync(id, default).AsTask(), TimeSpan.FromMilliseconds(50));

        entry.Claim!.Should().Match<IdempotencyClaim>(c => c.Attempt == 1 && !c.TookOver);
        (await kit.Memory.PeekAsync(id)).Fence.Should().Be(entry.Claim!.Fence);
    }

    [Fact]
    public async Task A_completion_whose_answer_was_lost_is_repeated_and_kept_once()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        int lost = 0;
        store.After = operation => operation == "complete" && Interlocked.Increment(ref lost) <= 2 ? UnrulyStore.Broken : Task.CompletedTask;

        IdempotencyFinish finish = await kit.PassUntilAsync(claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask(), TimeSpan.FromMilliseconds(50));

        finish.Should().Be(IdempotencyFinish.Kept);
        store.After = null;
        (await kit.Gate.EnterAsync(id, default)).Content.ToArray().Should().Equal(Receipt);
    }

    [Fact]
    public async Task An_outcome_that_cannot_be_recorded_keeps_its_claim_and_is_given_to_those_that_wait_here()
    {
        (Kit kit, UnrulyStore store) = New(o => o.WhenInFlight = WhenInFlight.Wait);
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        Task<IdempotencyResult> waiting = kit.Gate.EnterAsync(id, default).AsTask();
        await Kit.UntilAsync(() => kit.Gate.Waiting == 1);
        store.Before = operation => operation == "complete" ? UnrulyStore.Broken : Task.CompletedTask;

        IdempotencyFinish finish = await kit.PassUntilAsync(claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask(),
            TimeSpan.FromMilliseconds(200));

        finish.Should().Be(IdempotencyFinish.StoreFailed);
        (await waiting.WaitAsync(Kit.Patience)).Content.ToArray().Should().Equal(Receipt);
        (await kit.Memory.PeekAsync(id)).Fence.Should().Be(claim.Fence, "it was not given back: the operation is done");
        kit.Events.OfType<IdempotencyOutcomeNotKept>().Should().ContainSingle();
    }

    [Fact]
    public async Task A_store_that_never_answers_is_left()
    {
        (Kit kit, UnrulyStore store) = New();
        TaskCompletionSource never = new();
        store.Before = _ => never.Task;

        IdempotencyResult entry = await kit.PassUntilAsync(kit.Gate.EnterAsync(Kit.NewId(), default).AsTask(), TimeSpan.FromMilliseconds(100));

        entry.Status.Should().Be(IdempotencyStatus.StoreUnavailable);
        entry.Error!.Message.Should().Contain("did not answer to acquire within");
    }

    [Fact]
    public async Task A_store_that_throws_something_else_is_a_store_that_cannot_be_asked()
    {
        (Kit kit, UnrulyStore store) = New();
        store.Before = _ => throw new FormatException("a defect of the store");

        IdempotencyResult entry = await kit.PassUntilAsync(kit.Gate.EnterAsync(Kit.NewId(), default).AsTask(), TimeSpan.FromMilliseconds(50));

        entry.Status.Should().Be(IdempotencyStatus.StoreUnavailable);
        entry.Error!.InnerException.Should().BeOfType<FormatException>();
    }

    [Fact]
    public async Task A_full_store_is_not_asked_again_and_again()
    {
        (Kit kit, UnrulyStore store) = New();
        store.Before = _ => Task.FromException(new IdempotencyStoreException(IdempotencyStoreFault.Full, "no room"));

        (await kit.Gate.EnterAsync(Kit.NewId(), default)).Status.Should().Be(IdempotencyStatus.StoreUnavailable);
        store.Asked.Should().Equal("acquire");
    }

    [Fact]
    public async Task After_an_outage_the_gate_works_as_before()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyId id = Kit.NewId();
        store.Before = _ => UnrulyStore.Broken;
        await kit.PassUntilAsync(kit.Gate.EnterAsync(id, default).AsTask(), TimeSpan.FromMilliseconds(50));

        store.Before = null;

        (await kit.Gate.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.Claimed);
    }
}
