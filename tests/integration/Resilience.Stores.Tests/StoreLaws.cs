using System.Collections.Concurrent;

namespace Resilience.StoreTests;

/// <summary>The laws of <see cref="IIdempotencyStore"/>, one by one, against a real store that is asked through two independent clients.</summary>
public abstract class StoreLaws
{
    private protected static readonly TimeSpan Long = TimeSpan.FromMinutes(10);
    private protected static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);
    private protected static readonly Fingerprint Print = Fingerprint.Of("POST", "/orders"), OtherPrint = Fingerprint.Of("POST", "/refunds");

    /// <summary>A store, and the same records through another client.</summary>
    protected abstract IIdempotencyStore One { get; }

    /// <inheritdoc cref="One"/>
    protected abstract IIdempotencyStore Other { get; }

    /// <summary>True when expired records go away by themselves.</summary>
    protected virtual bool CollectsItself => false;

    private protected static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    private protected static AcquireRequest Ask(
        IdempotencyId id, TimeSpan? lease = null, int attempts = 3, Fingerprint? print = null, Guid? nonce = null, TimeSpan? retention = null) => new()
        {
            Id = id,
            Fingerprint = print ?? Print,
            Nonce = nonce ?? Guid.NewGuid(),
            Lease = lease ?? Long,
            Retention = retention ?? Long,
            MaxAttempts = attempts,
        };

    private protected static byte[] Bytes(int count) => [.. Enumerable.Range(0, count).Select(i => (byte)i)];

    /// <summary>Looks until the clock of the server has got there.</summary>
    private protected static async Task UntilAsync(IIdempotencyStore store, IdempotencyId id, IdempotencyState state)
    {
        long start = TimeProvider.System.GetTimestamp();
        IdempotencyState seen;
        while ((seen = (await store.PeekAsync(id)).State) != state)
        {
            TimeProvider.System.GetElapsedTime(start).Should().BeLessThan(TimeSpan.FromSeconds(20), "it should be {0}, but stays {1}", state, seen);
            await Task.Delay(5);
        }
    }

    [Fact]
    public async Task The_first_claim_is_granted_and_the_next_one_is_in_flight()
    {
        IdempotencyId id = NewId();
        (await One.PeekAsync(id)).Should().Be(default(PeekResult));
        AcquireResult first = await One.TryAcquireAsync(Ask(id)), second = await Other.TryAcquireAsync(Ask(id));
        first.Status.Should().Be(AcquireStatus.Acquired);
        first.Fence.Should().BePositive();
        (first.Attempt, first.TookOver).Should().Be((1, false));
        (second.Status, second.Fence).Should().Be((AcquireStatus.InFlight, first.Fence));
        second.RetryAfter.Should().BePositive().And.BeLessThanOrEqualTo(Long);
        PeekResult seen = await Other.PeekAsync(id);
        (seen.State, seen.Fence).Should().Be((IdempotencyState.InFlight, first.Fence));
        seen.RetryAfter.Should().BePositive().And.BeLessThanOrEqualTo(Long);
    }

    [Fact]
    public async Task No_id_touches_another()
    {
        IdempotencyId id = NewId(), neighbour = NewId();
        AcquireResult claim = await One.TryAcquireAsync(Ask(id)), next = await One.TryAcquireAsync(Ask(neighbour));
        (await One.CompleteAsync(neighbour, claim.Fence == next.Fence ? next.Fence + 1 : claim.Fence, IdempotencyCompletion.Completed, default, Long)).Should().BeFalse();
        (await One.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, Bytes(3), Long)).Should().BeTrue();
        (await One.PeekAsync(neighbour)).State.Should().Be(IdempotencyState.InFlight);
        (await One.ReleaseAsync(neighbour, next.Fence)).Should().BeTrue();
        (await One.PeekAsync(id)).State.Should().Be(IdempotencyState.Completed);
    }

    [Fact]
    public async Task Of_64_callers_through_two_clients_exactly_one_is_granted()
    {
        for (int round = 0; round < 10; round++)
        {
            IdempotencyId id = NewId();
            AcquireResult[] answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () => await (i % 2 == 0 ? One : Other).TryAcquireAsync(Ask(id)))));
            AcquireResult winner = answers.Should().ContainSingle(a => a.Status == AcquireStatus.Acquired).Which;
            answers.Where(a => a.Status != AcquireStatus.Acquired).Should().OnlyContain(
                a => a.Status == AcquireStatus.InFlight && a.Fence == winner.Fence && a.RetryAfter > TimeSpan.Zero, "the losers see the winner");
        }
    }

    [Fact]
    public async Task Of_64_callers_who_take_over_exactly_one_is_granted()
    {
        IdempotencyId id = NewId();
        AcquireResult first = await One.TryAcquireAsync(Ask(id, Short));
        await UntilAsync(One, id, IdempotencyState.Lapsed);
        AcquireResult[] answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () => await (i % 2 == 0 ? One : Other).TryAcquireAsync(Ask(id)))));
        AcquireResult winner = answers.Should().ContainSingle(a => a.Status == AcquireStatus.Acquired).Which;
        (winner.Attempt, winner.TookOver).Should().Be((2, true));
        winner.Fence.Should().BeGreaterThan(first.Fence);
        answers.Count(a => a.Status == AcquireStatus.InFlight && a.Fence == winner.Fence).Should().Be(63);
        (await One.CompleteAsync(id, first.Fence, IdempotencyCompletion.Completed, Bytes(1), Long)).Should().BeFalse("who was replaced has lost");
        (await One.RenewAsync(id, first.Fence, Long)).Should().BeFalse();
        (await One.ReleaseAsync(id, first.Fence)).Should().BeFalse();
        (await Other.PeekAsync(id)).Fence.Should().Be(winner.Fence);
    }

    [Fact]
    public async Task Holders_never_overlap_and_their_fences_rise()
    {
        IdempotencyId id = NewId();
        ConcurrentQueue<long> fences = [];
        int holders = 0, grants = 0;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
        {
            IIdempotencyStore store = i % 2 == 0 ? One : Other;
            while (Volatile.Read(ref grants) < 200)
            {
                AcquireResult answer = await store.TryAcquireAsync(Ask(id, print: Fingerprint.Of($"{i}")));
                answer.Status.Should().BeOneOf(AcquireStatus.Acquired, AcquireStatus.Mismatch, AcquireStatus.InFlight);
                if (answer.Status != AcquireStatus.Acquired)
                {
                    await Task.Yield(); // a store that answers on the caller's thread would keep the thread that the holder needs to go on
                    continue;
                }

                Interlocked.Increment(ref holders).Should().Be(1);
                fences.Enqueue(answer.Fence);
                Interlocked.Increment(ref grants);
                Interlocked.Decrement(ref holders);
                (await store.ReleaseAsync(id, answer.Fence)).Should().BeTrue();
            }
        })));
        fences.Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task The_same_nonce_gets_the_same_claim_with_a_lease_that_begins_again()
    {
        IdempotencyId id = NewId();
        Guid nonce = Guid.NewGuid();
        AcquireResult first = await One.TryAcquireAsync(Ask(id, TimeSpan.FromSeconds(30), nonce: nonce, attempts: 1));
        AcquireResult again = await Other.TryAcquireAsync(Ask(id, Long, nonce: nonce, attempts: 1));
        again.Should().Be(first);
        (await One.PeekAsync(id)).RetryAfter.Should().BeGreaterThan(TimeSpan.FromSeconds(31));
        (await One.TryAcquireAsync(Ask(id, nonce: nonce, print: OtherPrint))).Should().Be(AcquireResult.Mismatch);
    }

    [Fact]
    public async Task The_same_nonce_gets_the_same_claim_also_when_the_lease_has_lapsed()
    {
        IdempotencyId id = NewId();
        Guid nonce = Guid.NewGuid();
        AcquireResult first = await One.TryAcquireAsync(Ask(id, Short, nonce: nonce, attempts: 1));
        await UntilAsync(One, id, IdempotencyState.Lapsed);
        (await Other.TryAcquireAsync(Ask(id, nonce: nonce, attempts: 1))).Should().Be(first);
        (await One.PeekAsync(id)).State.Should().Be(IdempotencyState.InFlight);
    }

    [Fact]
    public async Task A_nonce_means_nothing_once_the_claim_has_ended()
    {
        IdempotencyId id = NewId();
        Guid nonce = Guid.NewGuid();
        AcquireResult first = await One.TryAcquireAsync(Ask(id, nonce: nonce));
        (await One.ReleaseAsync(id, first.Fence)).Should().BeTrue();
        AcquireResult second = await One.TryAcquireAsync(Ask(id, nonce: nonce, print: OtherPrint));
        (second.Status, second.Attempt).Should().Be((AcquireStatus.Acquired, 1));
        second.Fence.Should().BeGreaterThan(first.Fence);
        (await One.CompleteAsync(id, second.Fence, IdempotencyCompletion.Completed, Bytes(2), Long)).Should().BeTrue();
        (await One.TryAcquireAsync(Ask(id, nonce: nonce, print: OtherPrint))).Status.Should().Be(AcquireStatus.Completed);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(256)]
    [InlineData(300_000)]
    [InlineData(1 << 20)]
    public async Task A_payload_comes_back_byte_for_byte_and_only_to_who_asked_for_the_same(int length)
    {
        IdempotencyId id = NewId();
        byte[] payload = Bytes(length);
        long fence = (await One.TryAcquireAsync(Ask(id))).Fence;
        (await One.CompleteAsync(id, fence, IdempotencyCompletion.Completed, payload, Long)).Should().BeTrue();
        AcquireResult answer = await Other.TryAcquireAsync(Ask(id));
        (answer.Status, answer.Completion).Should().Be((AcquireStatus.Completed, IdempotencyCompletion.Completed));
        answer.Payload.Span.SequenceEqual(payload).Should().BeTrue();
        AcquireResult stranger = await Other.TryAcquireAsync(Ask(id, print: OtherPrint));
        stranger.Should().Be(AcquireResult.Mismatch);
        stranger.Payload.Length.Should().Be(0);
        (await One.PeekAsync(id)).Should().Be(new PeekResult(IdempotencyState.Completed, fence, TimeSpan.Zero));
    }

    [Fact]
    public async Task A_payload_that_is_too_large_is_rejected_and_changes_nothing()
    {
        IdempotencyId id = NewId();
        long fence = (await One.TryAcquireAsync(Ask(id))).Fence;
        byte[] payload = new byte[One.Traits.MaxPayloadBytes + 1];
        await FluentActions.Awaiting(async () => await One.CompleteAsync(id, fence, IdempotencyCompletion.Completed, payload, Long)).Should().ThrowAsync<ArgumentException>();
        (await One.PeekAsync(id)).State.Should().Be(IdempotencyState.InFlight);
    }

    [Fact]
    public async Task Another_fingerprint_is_rejected_in_every_state()
    {
        IdempotencyId id = NewId();
        long fence = (await One.TryAcquireAsync(Ask(id, Short, attempts: 1))).Fence;
        (await One.TryAcquireAsync(Ask(id, print: OtherPrint))).Should().Be(AcquireResult.Mismatch);
        await UntilAsync(One, id, IdempotencyState.Lapsed);
        (await One.TryAcquireAsync(Ask(id, print: OtherPrint))).Should().Be(AcquireResult.Mismatch);
        (await One.CompleteAsync(id, fence, IdempotencyCompletion.OutcomeUnknown, default, Long)).Should().BeTrue("it was not replaced");
        (await One.TryAcquireAsync(Ask(id, print: OtherPrint))).Should().Be(AcquireResult.Mismatch);
    }

    [Fact]
    public async Task An_unknown_outcome_is_kept_and_reported_and_never_executed_again()
    {
        IdempotencyId id = NewId();
        long fence = (await One.TryAcquireAsync(Ask(id))).Fence;
        (await One.CompleteAsync(id, fence, IdempotencyCompletion.OutcomeUnknown, Bytes(5), Long)).Should().BeTrue();
        AcquireResult answer = await Other.TryAcquireAsync(Ask(id));
        (answer.Status, answer.Completion).Should().Be((AcquireStatus.Completed, IdempotencyCompletion.OutcomeUnknown));
        answer.Payload.ToArray().Should().Equal(Bytes(5));
        (await One.PeekAsync(id)).Should().Be(new PeekResult(IdempotencyState.OutcomeUnknown, fence, TimeSpan.Zero));
    }

    [Fact]
    public async Task To_complete_again_changes_nothing_and_answers_as_before()
    {
        IdempotencyId id = NewId();
        long fence = (await One.TryAcquireAsync(Ask(id))).Fence;
        (await One.CompleteAsync(id, fence + 1, IdempotencyCompletion.Completed, Bytes(9), Long)).Should().BeFalse("that is no claim's fence");
        (await One.CompleteAsync(id, fence, IdempotencyCompletion.Completed, Bytes(3), Long)).Should().BeTrue();
        (await Other.CompleteAsync(id, fence, IdempotencyCompletion.Completed, Bytes(7), Short)).Should().BeTrue();
        (await Other.CompleteAsync(id, fence, IdempotencyCompletion.OutcomeUnknown, Bytes(7), Long)).Should().BeFalse("it ended otherwise");
        (await One.RenewAsync(id, fence, Long)).Should().BeFalse();
        (await One.ReleaseAsync(id, fence)).Should().BeFalse("a result is never removed");
        (await Other.TryAcquireAsync(Ask(id))).Payload.ToArray().Should().Equal(Bytes(3));
    }

    [Fact]
    public async Task What_was_released_is_free_for_any_caller_and_its_fence_is_remembered()
    {
        IdempotencyId id = NewId();
        long fence = (await One.TryAcquireAsync(Ask(id))).Fence;
        (await One.ReleaseAsync(id, fence + 1)).Should().BeFalse();
        (await One.ReleaseAsync(id, fence)).Should().BeTrue();
        (await One.ReleaseAsync(id, fence)).Should().BeTrue("the reply may have been lost");
        (await One.PeekAsync(id)).Should().Be(default(PeekResult));
        (await One.RenewAsync(id, fence, Long)).Should().BeFalse();
        (await One.CompleteAsync(id, fence, IdempotencyCompletion.Completed, default, Long)).Should().BeFalse();
        AcquireResult next = await Other.TryAcquireAsync(Ask(id, print: OtherPrint));
        (next.Status, next.Attempt).Should().Be((AcquireStatus.Acquired, 1));
        next.Fence.Should().BeGreaterThan(fence);
        (await One.ReleaseAsync(id, fence)).Should().BeFalse("another caller has it");
    }

    [Fact]
    public async Task An_owner_that_is_late_but_was_not_replaced_still_holds_it()
    {
        IdempotencyId renewed = NewId(), completed = NewId(), released = NewId();
        long first = (await One.TryAcquireAsync(Ask(renewed, Short))).Fence;
        long second = (await One.TryAcquireAsync(Ask(completed, Short))).Fence;
        long third = (await One.TryAcquireAsync(Ask(released, Short))).Fence;
        await UntilAsync(One, released, IdempotencyState.Lapsed);
        (await One.PeekAsync(renewed)).Should().Be(new PeekResult(IdempotencyState.Lapsed, first, TimeSpan.Zero));
        (await One.RenewAsync(renewed, first, Long)).Should().BeTrue();
        (await One.CompleteAsync(completed, second, IdempotencyCompletion.Completed, default, Long)).Should().BeTrue();
        (await One.ReleaseAsync(released, third)).Should().BeTrue();
        (await Other.TryAcquireAsync(Ask(renewed))).Status.Should().Be(AcquireStatus.InFlight);
    }

    [Fact]
    public async Task Begun_as_often_as_allowed_it_is_abandoned()
    {
        IdempotencyId id = NewId();
        AcquireResult first = await One.TryAcquireAsync(Ask(id, Short, attempts: 2));
        await UntilAsync(One, id, IdempotencyState.Lapsed);
        (await Other.TryAcquireAsync(Ask(id, attempts: 1))).Should().Be(AcquireResult.Abandoned);
        AcquireResult second = await Other.TryAcquireAsync(Ask(id, Short, attempts: 2));
        (second.Status, second.Attempt).Should().Be((AcquireStatus.Acquired, 2));
        await UntilAsync(One, id, IdempotencyState.Lapsed);
        (await One.TryAcquireAsync(Ask(id, attempts: 2))).Should().Be(AcquireResult.Abandoned);
        (await One.TryAcquireAsync(Ask(id, attempts: 2, print: OtherPrint))).Should().Be(AcquireResult.Mismatch);
        AcquireResult third = await One.TryAcquireAsync(Ask(id, attempts: 3));
        (third.Status, third.Attempt).Should().Be((AcquireStatus.Acquired, 3));
        new[] { first.Fence, second.Fence, third.Fence }.Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task What_has_expired_is_gone_before_a_sweep()
    {
        IdempotencyId done = NewId(), begun = NewId();
        long first = (await One.TryAcquireAsync(Ask(done))).Fence;
        (await One.CompleteAsync(done, first, IdempotencyCompletion.Completed, Bytes(4), Short)).Should().BeTrue();
        long second = (await One.TryAcquireAsync(Ask(begun, Short, attempts: 1, retention: Short))).Fence;
        await UntilAsync(One, done, IdempotencyState.Absent);
        await UntilAsync(One, begun, IdempotencyState.Absent);
        foreach ((IdempotencyId id, long before) in new[] { (done, first), (begun, second) })
        {
            AcquireResult next = await Other.TryAcquireAsync(Ask(id, print: OtherPrint, attempts: 1));
            (next.Status, next.Attempt).Should().Be((AcquireStatus.Acquired, 1));
            next.Fence.Should().BeGreaterThan(before);
            (await One.CompleteAsync(id, before, IdempotencyCompletion.Completed, default, Long)).Should().BeFalse();
        }
    }

    [Fact]
    public async Task A_record_is_kept_as_long_as_its_lease_however_short_its_retention()
    {
        IdempotencyId marker = NewId(), renewed = NewId(), held = NewId();
        long fence = (await One.TryAcquireAsync(Ask(renewed, Short, retention: Short))).Fence;
        (await One.TryAcquireAsync(Ask(held, Long, retention: Short))).Status.Should().Be(AcquireStatus.Acquired);
        (await One.RenewAsync(renewed, fence, Long)).Should().BeTrue();
        await One.TryAcquireAsync(Ask(marker, Short, retention: Short));
        await UntilAsync(One, marker, IdempotencyState.Absent);
        await One.PurgeAsync(int.MaxValue);
        (await One.PeekAsync(renewed)).State.Should().Be(IdempotencyState.InFlight);
        (await One.PeekAsync(held)).State.Should().Be(IdempotencyState.InFlight);
        (await One.CompleteAsync(renewed, fence, IdempotencyCompletion.Completed, default, Long)).Should().BeTrue();
    }

    [Fact]
    public async Task Purging_removes_what_has_expired_and_nothing_else_and_fences_rise_nevertheless()
    {
        IdempotencyId[] old = [.. Enumerable.Range(0, 5).Select(_ => NewId())];
        IdempotencyId kept = NewId(), lapsed = NewId();
        Dictionary<IdempotencyId, long> fences = [];
        foreach (IdempotencyId id in old) fences[id] = (await One.TryAcquireAsync(Ask(id, Short, retention: Short))).Fence;
        long fence = (await One.TryAcquireAsync(Ask(kept))).Fence;
        await One.CompleteAsync(kept, fence, IdempotencyCompletion.Completed, Bytes(8), Long);
        await One.TryAcquireAsync(Ask(lapsed, Short));
        await UntilAsync(One, lapsed, IdempotencyState.Lapsed);
        foreach (IdempotencyId id in old) await UntilAsync(One, id, IdempotencyState.Absent);

        (await One.PurgeAsync(0)).Should().Be(0);
        int first = await One.PurgeAsync(2), rest = await One.PurgeAsync(int.MaxValue);
        if (CollectsItself) (first + rest).Should().Be(0);
        else first.Should().BeLessThanOrEqualTo(2);
        (await One.PeekAsync(kept)).State.Should().Be(IdempotencyState.Completed);
        (await One.PeekAsync(lapsed)).State.Should().Be(IdempotencyState.Lapsed);
        foreach (IdempotencyId id in old) (await One.TryAcquireAsync(Ask(id))).Fence.Should().BeGreaterThan(fences[id]);
    }

    [Fact]
    public async Task Nonsense_is_rejected_before_the_store_is_asked()
    {
        IdempotencyId id = NewId();
        await Rejected(async () => await One.TryAcquireAsync(Ask(id, nonce: Guid.Empty)));
        await Rejected(async () => await One.TryAcquireAsync(Ask(id, TimeSpan.Zero)));
        await Rejected(async () => await One.TryAcquireAsync(Ask(id, retention: TimeSpan.FromTicks(-1))));
        await Rejected(async () => await One.TryAcquireAsync(Ask(id, attempts: 0)));
        await Rejected(async () => await One.RenewAsync(id, 1, TimeSpan.FromDays(2)));
        await Rejected(async () => await One.CompleteAsync(id, 1, IdempotencyCompletion.None, default, Long));
        await Rejected(async () => await One.CompleteAsync(id, 1, IdempotencyCompletion.Completed, default, TimeSpan.Zero));
        (await One.PeekAsync(id)).Should().Be(default(PeekResult));

        static async Task Rejected(Func<Task> ask) => await ask.Should().ThrowAsync<ArgumentException>();
    }

    [Fact]
    public async Task Without_a_record_nothing_can_be_renewed_completed_or_released()
    {
        IdempotencyId id = NewId();
        (await One.RenewAsync(id, 1, Long)).Should().BeFalse();
        (await One.CompleteAsync(id, 1, IdempotencyCompletion.Completed, default, Long)).Should().BeFalse();
        (await One.ReleaseAsync(id, 1)).Should().BeFalse();
        (await One.ReleaseAsync(id, 0)).Should().BeFalse();
        (await One.PeekAsync(id)).Should().Be(default(PeekResult));
    }

    [Fact]
    public async Task A_cancelled_call_says_so()
    {
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();
        IdempotencyId id = NewId();
        await Cancelled(async () => await One.TryAcquireAsync(Ask(id), cancelled.Token));
        await Cancelled(async () => await One.RenewAsync(id, 1, Long, cancelled.Token));
        await Cancelled(async () => await One.CompleteAsync(id, 1, IdempotencyCompletion.Completed, default, Long, cancelled.Token));
        await Cancelled(async () => await One.ReleaseAsync(id, 1, cancelled.Token));
        await Cancelled(async () => await One.PeekAsync(id, cancelled.Token));
        await Cancelled(async () => await One.PurgeAsync(1, cancelled.Token));

        static async Task Cancelled(Func<Task> ask) => await ask.Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task Ten_years_and_a_day_are_not_too_long()
    {
        IdempotencyId id = NewId();
        long fence = (await One.TryAcquireAsync(Ask(id, TimeSpan.FromDays(1), retention: IdempotencyStoreArguments.MaxRetention, attempts: int.MaxValue))).Fence;
        (await One.PeekAsync(id)).RetryAfter.Should().BeGreaterThan(TimeSpan.FromHours(23)).And.BeLessThanOrEqualTo(TimeSpan.FromDays(1));
        (await One.CompleteAsync(id, fence, IdempotencyCompletion.Completed, default, IdempotencyStoreArguments.MaxRetention)).Should().BeTrue();
        (await One.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.Completed);
    }
}
