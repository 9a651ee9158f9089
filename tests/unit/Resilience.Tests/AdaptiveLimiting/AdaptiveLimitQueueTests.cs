using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.AdaptiveLimiting;

/// <summary>The limit with a queue: who is let in, and how each wait ends.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class AdaptiveLimitQueueTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new();

    private AdaptiveConcurrencyLimit Make(Action<AdaptiveConcurrencyLimitOptions>? configure = null)
    {
        AdaptiveConcurrencyLimitOptions options = new() { Name = "search", InitialLimit = 1, MaxLimit = 1, MaxQueued = 2 };
        configure?.Invoke(options);
        return new(options, _time);
    }

    private static async Task<AdaptiveLimitReason?> End(Task<LimitAdmission> waiting) => (await waiting.WaitAsync(Patience)).Rejection?.Why;

    [Fact]
    public async Task With_a_queue_all_classes_may_use_the_whole_limit_and_places_go_by_class()
    {
        AdaptiveConcurrencyLimit limit = Make(o => (o.InitialLimit, o.MaxLimit, o.MaxQueued) = (10, 10, 4));
        LimitPermit[] held = [.. Enumerable.Range(0, 10).Select(_ => limit.TryEnter(Criticality.Sheddable)!.Value)];
        limit.TryEnter(Criticality.CriticalPlus).Should().BeNull("it does not wait");
        Task<LimitAdmission> low = limit.EnterAsync(Criticality.Sheddable).AsTask(), high = limit.EnterAsync(Criticality.CriticalPlus).AsTask();
        limit.GetSnapshot().WaitingByClass.Should().Equal(1, 0, 0, 1);
        limit.Leave(held[0], Verdict.Success);
        (await high.WaitAsync(Patience)).IsAdmitted.Should().BeTrue();
        limit.TryEnter(Criticality.CriticalPlus).Should().BeNull("none overtakes those that wait");
        low.IsCompleted.Should().BeFalse();
        limit.Leave(held[1], Verdict.Success);
        LimitAdmission admitted = await low.WaitAsync(Patience);
        limit.Leave(admitted.Permit, Verdict.Success);
        (limit.Running, limit.Waiting).Should().Be((9, 0));
    }

    [Fact]
    public async Task A_full_queue_rejects_or_lets_one_of_a_lower_class_go()
    {
        AdaptiveConcurrencyLimit limit = Make();
        limit.TryEnter();
        Task<LimitAdmission> first = limit.EnterAsync(Criticality.SheddablePlus).AsTask(), second = limit.EnterAsync(Criticality.Sheddable).AsTask();
        (await End(limit.EnterAsync(Criticality.Sheddable).AsTask())).Should().Be(AdaptiveLimitReason.QueueFull);
        Task<LimitAdmission> third = limit.EnterAsync(Criticality.Critical).AsTask();
        (await End(second)).Should().Be(AdaptiveLimitReason.Evicted);
        (first.IsCompleted, third.IsCompleted, limit.Waiting).Should().Be((false, false, 2));
    }

    [Fact]
    public async Task A_wait_ends_with_its_time_its_deadline_or_its_token()
    {
        AdaptiveConcurrencyLimit limit = Make(o => o.MaxQueued = 5);
        limit.TryEnter();
        (await End(limit.EnterAsync(maxWait: TimeSpan.Zero).AsTask())).Should().Be(AdaptiveLimitReason.WaitedTooLong);
        using CancellationTokenSource caller = new();
        Task<LimitAdmission> cancelled = limit.EnterAsync(cancellationToken: caller.Token).AsTask();
        Task<LimitAdmission> late = limit.EnterAsync(maxWait: TimeSpan.FromMilliseconds(300)).AsTask(), patient = limit.EnterAsync(maxWait: Patience).AsTask();
        await caller.CancelAsync();
        await FluentActions.Awaiting(() => cancelled.WaitAsync(Patience)).Should().ThrowAsync<OperationCanceledException>();
        _time.Advance(TimeSpan.FromMilliseconds(300));
        (await End(late)).Should().Be(AdaptiveLimitReason.WaitedTooLong);
        patient.IsCompleted.Should().BeFalse();
        _time.Advance(TimeSpan.FromMilliseconds(700));
        (await End(patient)).Should().Be(AdaptiveLimitReason.WaitedTooLong, "never longer than MaxWait");
        (limit.Running, limit.Waiting).Should().Be((1, 0));
        await FluentActions.Awaiting(() => limit.EnterAsync(cancellationToken: new(true)).AsTask()).Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task A_queue_that_stands_serves_the_newest_and_rejects_the_old()
    {
        AdaptiveConcurrencyLimit limit = Make(o => o.MaxQueued = 5);
        LimitPermit held = limit.TryEnter()!.Value;
        Task<LimitAdmission> old = limit.EnterAsync().AsTask();
        _time.Advance(TimeSpan.FromMilliseconds(101));
        Task<LimitAdmission> young = limit.EnterAsync().AsTask();
        limit.Leave(held, Verdict.Success);
        LimitAdmission served = await young.WaitAsync(Patience);
        served.IsAdmitted.Should().BeTrue();
        old.IsCompleted.Should().BeFalse();
        limit.Leave(served.Permit, Verdict.Success);
        (await End(old)).Should().Be(AdaptiveLimitReason.Standing);
        (limit.Running, limit.Waiting).Should().Be((0, 0));
        limit.TryEnter().Should().NotBeNull("none waits any more");
    }

    [Fact]
    public async Task The_time_in_the_queue_is_no_latency()
    {
        AdaptiveConcurrencyLimit limit = Make();
        LimitPermit held = limit.TryEnter()!.Value;
        Task<LimitAdmission> waiting = limit.EnterAsync().AsTask();
        _time.Advance(TimeSpan.FromMilliseconds(90));
        limit.Leave(held, Verdict.Success);
        LimitAdmission admitted = await waiting.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromMilliseconds(7));
        limit.ElapsedSince(admitted.Permit).Should().Be(TimeSpan.FromMilliseconds(7));
    }

    [Fact]
    public async Task A_limit_that_is_raised_lets_those_in_who_wait()
    {
        AdaptiveConcurrencyLimit limit = Make();
        limit.TryEnter();
        Task<LimitAdmission> first = limit.EnterAsync().AsTask(), second = limit.EnterAsync().AsTask();
        limit.Update(new() { InitialLimit = 2, MinLimit = 2, MaxLimit = 2, MaxQueued = 0 });
        (await first.WaitAsync(Patience)).IsAdmitted.Should().BeTrue();
        (second.IsCompleted, limit.Waiting).Should().Be((false, 1), "a shorter queue keeps who is in it");
        (await End(limit.EnterAsync().AsTask())).Should().Be(AdaptiveLimitReason.NoPlace);
    }

    [Theory]
    [InlineData(false, 2)]
    [InlineData(true, 5)]
    public async Task The_queue_may_be_as_long_as_the_limit_is_high(bool follows, int room)
    {
        AdaptiveConcurrencyLimit limit = Make(o => (o.InitialLimit, o.MaxLimit, o.QueueFollowsLimit) = (5, 5, follows));
        for (int i = 0; i < 5; i++) limit.TryEnter();
        for (int i = 0; i < room; i++) limit.EnterAsync().IsCompleted.Should().BeFalse();
        (await End(limit.EnterAsync().AsTask())).Should().Be(AdaptiveLimitReason.QueueFull);
    }

    [Fact]
    public async Task A_storm_of_entering_cancelling_and_timing_out_loses_no_place_and_no_call_waits_for_ever()
    {
        AdaptiveConcurrencyLimit limit = new(new() { InitialLimit = 4, MaxLimit = 4, MinLimit = 4, MaxQueued = 10, MaxWait = TimeSpan.FromMilliseconds(20) });
        int running = 0, max = 0, ended = 0, entered = 0;
        await Task.WhenAll(Enumerable.Range(0, 16).Select(t => Task.Run(async () =>
        {
            Random random = new(t);
            for (int i = 0; i < 300; i++)
            {
                using CancellationTokenSource cancel = new();
                if (random.Next(4) == 0) cancel.CancelAfter(random.Next(5));
                LimitAdmission admission;
                try
                {
                    admission = await limit.EnterAsync((Criticality)random.Next(4), cancellationToken: cancel.Token);
                }
                catch (OperationCanceledException)
                {
                    continue;
                }
                finally
                {
                    Interlocked.Increment(ref ended);
                }

                if (!admission.IsAdmitted) continue;
                Interlocked.Increment(ref entered);
                int now = Interlocked.Increment(ref running);
                for (int seen = max; now > seen; seen = max) Interlocked.CompareExchange(ref max, now, seen);
                if (random.Next(3) == 0) await Task.Yield();
                Interlocked.Decrement(ref running);
                limit.Leave(admission.Permit, Verdict.Success);
            }
        }))).WaitAsync(TimeSpan.FromSeconds(120));
        max.Should().BeInRange(1, 4);
        (limit.Running, limit.Waiting, ended).Should().Be((0, 0, 16 * 300));
        entered.Should().BeGreaterThan(1000);
        limit.TryEnter().Should().NotBeNull();
    }
}
