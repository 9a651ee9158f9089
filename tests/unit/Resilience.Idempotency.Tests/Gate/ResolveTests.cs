using Resilience.Tests;

namespace Resilience.Idempotency.Tests.Gate;

/// <summary>The way out for a record whose outcome is unknown, and what a late owner of it can still do: nothing.</summary>
public sealed class ResolveTests
{
    private static readonly byte[] Receipt = "receipt"u8.ToArray();

    /// <summary>A claim whose owner was stopped behind the point of no return, with as many attempts as allowed: the outcome is unknown.</summary>
    private static async Task<(IdempotencyId Id, IdempotencyClaim Late)> BeInDoubtAsync(Kit kit)
    {
        IdempotencyId id = Kit.NewId();
        IdempotencyGate stopped = kit.NewGate(o => o.MaxAttempts = 1);
        IdempotencyClaim late = (await stopped.EnterAsync(id, default)).Claim!;
        stopped.Dispose(); // renews no more: its process hangs
        kit.Time.Advance(Kit.Lease * 1.1);
        (await kit.Gate.EnterAsync(id, default)).Should().Match<IdempotencyResult>(e => e.Status == IdempotencyStatus.OutcomeUnknown && e.AreAttemptsUsedUp);
        return (id, late);
    }

    private static Kit NewKit(Func<IIdempotencyStore, IIdempotencyStore>? wrap = null) => new(o => o.MaxAttempts = 1, wrap);

    [Fact]
    public async Task What_was_done_is_given_to_duplicates_and_the_late_owner_learns_that_it_lost()
    {
        using Kit kit = NewKit();
        (IdempotencyId id, IdempotencyClaim late) = await BeInDoubtAsync(kit);

        ResolveResult answer = await kit.Gate.ResolveAsync(id, IdempotencyResolution.DoneWith(IdempotencyPayloadKind.Value, Receipt));

        (answer.Status, answer.Fence > late.Fence).Should().Be((ResolveStatus.Resolved, true));
        (await late.CompleteAsync(IdempotencyPayloadKind.Value, "late"u8.ToArray())).Should().Be(IdempotencyFinish.Lost);
        IdempotencyResult duplicate = await kit.Gate.EnterAsync(id, default);
        duplicate.Status.Should().Be(IdempotencyStatus.Replayed);
        duplicate.Content.ToArray().Should().Equal(Receipt);
    }

    [Fact]
    public async Task What_was_not_done_is_begun_again_and_the_late_owner_changes_nothing()
    {
        using Kit kit = NewKit();
        (IdempotencyId id, IdempotencyClaim late) = await BeInDoubtAsync(kit);

        (await kit.Gate.ResolveAsync(id, IdempotencyResolution.NotDone)).Status.Should().Be(ResolveStatus.Resolved);

        IdempotencyClaim next = (await kit.Gate.EnterAsync(id, default)).Claim!;
        (next.Attempt, next.Fence > late.Fence).Should().Be((1, true));
        (await late.CompleteAsync(IdempotencyPayloadKind.Value, "late"u8.ToArray())).Should().Be(IdempotencyFinish.Lost);
        (await next.CompleteAsync(IdempotencyPayloadKind.Value, Receipt)).Should().Be(IdempotencyFinish.Kept);
    }

    [Fact]
    public async Task Done_without_a_result_and_still_unknown_are_reported_as_such()
    {
        using Kit kit = NewKit();
        (IdempotencyId done, _) = await BeInDoubtAsync(kit);
        (IdempotencyId unknown, _) = await BeInDoubtAsync(kit);

        await kit.Gate.ResolveAsync(done, IdempotencyResolution.Done);
        await kit.Gate.ResolveAsync(unknown, IdempotencyResolution.OutcomeUnknown);

        (await kit.Gate.EnterAsync(done, default)).Should()
            .Match<IdempotencyResult>(e => e.Status == IdempotencyStatus.Replayed && e.Kind == IdempotencyPayloadKind.DoneWithoutResult);
        (await kit.Gate.EnterAsync(unknown, default))
            .Should().Match<IdempotencyResult>(e => e.Status == IdempotencyStatus.OutcomeUnknown && !e.AreAttemptsUsedUp);
        (await kit.Gate.PeekAsync(unknown)).State.Should().Be(IdempotencyState.OutcomeUnknown);
    }

    [Fact]
    public async Task A_decision_about_what_has_changed_since_changes_nothing()
    {
        using Kit kit = NewKit();
        (IdempotencyId id, _) = await BeInDoubtAsync(kit);
        PeekResult seen = await kit.Gate.PeekAsync(id);
        await kit.Gate.ResolveAsync(id, IdempotencyResolution.OutcomeUnknown with { OnlyIfFence = seen.Fence });

        ResolveResult stale = await kit.Gate.ResolveAsync(id, IdempotencyResolution.NotDone with { OnlyIfFence = seen.Fence });

        stale.Status.Should().Be(ResolveStatus.Changed);
        (await kit.Gate.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.OutcomeUnknown);
    }

    [Fact]
    public async Task A_decision_whose_reply_was_lost_is_sent_again_and_counts_once()
    {
        UnrulyStore? store = null;
        using Kit kit = NewKit(inner => store = new(inner));
        (IdempotencyId id, _) = await BeInDoubtAsync(kit);
        int replies = 0;
        store!.After = operation => operation == "resolve" && Interlocked.Increment(ref replies) == 1 ? UnrulyStore.Broken : Task.CompletedTask;

        ResolveResult answer = await kit.PassUntilAsync(
            kit.Gate.ResolveAsync(id, IdempotencyResolution.NotDone).AsTask(), TimeSpan.FromMilliseconds(20));

        (answer.Status, replies).Should().Be((ResolveStatus.Resolved, 2));
    }

    [Fact]
    public async Task A_store_without_the_way_says_so()
    {
        using Kit kit = new(wrap: inner => new ForwardingStore(inner));

        Func<Task> deciding = async () => await kit.Gate.ResolveAsync(Kit.NewId(), IdempotencyResolution.NotDone);

        (await deciding.Should().ThrowAsync<NotSupportedException>()).WithMessage("*IResolvableIdempotencyStore*");
    }

    [Fact]
    public async Task A_guarded_store_is_asked_through_its_guard()
    {
        using Kit kit = NewKit(inner => new GuardedIdempotencyStore(inner, new ResiliencePipelineBuilder { Name = "guard" }.Build()));
        (IdempotencyId id, _) = await BeInDoubtAsync(kit);

        (await kit.Gate.ResolveAsync(id, IdempotencyResolution.Done)).Status.Should().Be(ResolveStatus.Resolved);
    }

    [Fact]
    public void An_id_is_read_as_it_was_written_and_nothing_else_is()
    {
        IdempotencyId id = Kit.NewId();

        IdempotencyId.TryParse(id.ToHex(), out IdempotencyId same).Should().BeTrue();
        same.Should().Be(id);
        IdempotencyId.TryParse(id.ToHex().ToUpperInvariant(), out same).Should().BeTrue();
        foreach (string? wrong in new[] { null, "", id.ToString(), id.ToHex()[1..], id.ToHex() + "0", "g" + id.ToHex()[1..] })
            IdempotencyId.TryParse(wrong, out _).Should().BeFalse();
    }
}
