using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Limiting;

[Collection(ThreadsCollection.Name)]
public sealed class ConcurrencyLimitTests
{
    private readonly FakeTimeProvider _time = new();

    private ConcurrencyLimit Make(int concurrent = 2, int queued = 2, double wait = 10) =>
        new(new() { MaxConcurrent = concurrent, MaxQueued = queued, MaxWait = TimeSpan.FromSeconds(wait) }, _time);

    private static void Holds(ConcurrencyLimit limit, int running, int waiting) =>
        (limit.Running, limit.Waiting).Should().Be((running, waiting));

    [Fact]
    public async Task Places_are_given_up_to_the_limit_then_the_queue_then_rejections()
    {
        ConcurrencyLimit limit = Make();
        (await limit.EnterAsync()).Should().BeNull();
        limit.TryEnter().Should().BeTrue();
        limit.TryEnter().Should().BeFalse();
        Task<LimitRejection?> first = limit.EnterAsync().AsTask(), second = limit.EnterAsync().AsTask();
        Holds(limit, 2, 2);
        LimitRejection? rejection = await limit.EnterAsync();
        rejection!.Why.Should().Be(LimitReason.QueueFull);
        rejection.Reason.Should().Be("concurrency-limit: all places are taken at this moment (limit 2) and the queue is full (queue limit 2); a place becomes free when a running call ends.");
        rejection.ToException().Should().BeOfType<LimitReachedException>();

        limit.Release();
        (await first.WaitAsync(TimeSpan.FromSeconds(30))).Should().BeNull();
        second.IsCompleted.Should().BeFalse("first come, first served");
        Holds(limit, 2, 1);
        limit.Release();
        (await second.WaitAsync(TimeSpan.FromSeconds(30))).Should().BeNull();
        limit.Release();
        limit.Release();
        Holds(limit, 0, 0);
        limit.Invoking(l => l.Release()).Should().Throw<InvalidOperationException>().WithMessage("*twice*");
    }

    [Fact]
    public async Task Waiting_ends_when_the_time_is_up()
    {
        ConcurrencyLimit limit = Make(1, 1, 10);
        limit.TryEnter();
        Task<LimitRejection?> waiting = limit.EnterAsync().AsTask();
        _time.Advance(TimeSpan.FromSeconds(10));
        (await waiting.WaitAsync(TimeSpan.FromSeconds(30)))!.Why.Should().Be(LimitReason.WaitedTooLong);
        Holds(limit, 1, 0);
        limit.Release();
        limit.TryEnter().Should().BeTrue("no call waits any more");
    }

    [Fact]
    public async Task Waiting_ends_when_the_caller_cancels_and_the_place_goes_to_the_next()
    {
        ConcurrencyLimit limit = Make(1, 2);
        limit.TryEnter();
        using CancellationTokenSource caller = new();
        Task<LimitRejection?> first = limit.EnterAsync(caller.Token).AsTask(), second = limit.EnterAsync().AsTask();
        await caller.CancelAsync();
        await FluentActions.Awaiting(() => first.WaitAsync(TimeSpan.FromSeconds(30))).Should().ThrowAsync<OperationCanceledException>();
        Holds(limit, 1, 1);
        limit.Release();
        (await second.WaitAsync(TimeSpan.FromSeconds(30))).Should().BeNull();
        await FluentActions.Awaiting(() => limit.EnterAsync(new CancellationToken(true)).AsTask()).Should().ThrowAsync<OperationCanceledException>();
        Holds(limit, 1, 0);
    }

    [Fact]
    public async Task No_call_overtakes_those_that_wait()
    {
        ConcurrencyLimit limit = Make(1, 1);
        limit.TryEnter();
        Task<LimitRejection?> waiting = limit.EnterAsync().AsTask();
        limit.TryEnter().Should().BeFalse();
        limit.Release();
        limit.TryEnter().Should().BeFalse("the place has gone to the one who waited");
        (await waiting).Should().BeNull();
    }

    [Fact]
    public async Task The_limit_can_be_raised_and_lowered_while_in_use()
    {
        ConcurrencyLimit limit = Make(1, 3);
        limit.TryEnter();
        Task<LimitRejection?>[] waiting = [.. Enumerable.Range(0, 3).Select(_ => limit.EnterAsync().AsTask())];
        limit.Limit = 3;
        await Task.WhenAll(waiting[..2]).WaitAsync(TimeSpan.FromSeconds(30));
        Holds(limit, 3, 1);
        limit.Limit = 1;
        limit.Release();
        limit.Release();
        Holds(limit, 1, 1);
        waiting[2].IsCompleted.Should().BeFalse("one runs, and one may");
        limit.Release();
        (await waiting[2].WaitAsync(TimeSpan.FromSeconds(30))).Should().BeNull();
        limit.Invoking(l => l.Limit = 0).Should().Throw<ArgumentOutOfRangeException>();
        limit.Invoking(l => l.Limit = int.MaxValue).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void The_word_is_laid_out_as_drawn()
    {
        foreach (int limit in new[] { 1, 1_000_000 })
        {
            foreach (int running in new[] { 0, 1, 1_000_000 })
            {
                foreach (bool waiting in new[] { true, false })
                {
                    LimitWord word = new(limit, running, waiting);
                    (word.Limit, word.Running, word.HasWaiting).Should().Be((limit, running, waiting));
                    (word.Entered.Running, word.WithWaiting(!waiting).HasWaiting, word.WithLimit(7).Limit).Should().Be((running + 1, !waiting, 7));
                    word.MayEnter.Should().Be(!waiting && running < limit);
                }
            }
        }
    }

    private interface IGate
    {
        bool TryEnter();

        void Leave();
    }

    private sealed class Ours(int limit) : IGate
    {
        private readonly ConcurrencyLimit _limit = new(new() { MaxConcurrent = limit });

        public bool TryEnter() => _limit.TryEnter();

        public void Leave() => _limit.Release();
    }

    /// <summary>Planted: looks, then takes (Envoy, concurrency limits: "can temporarily go above").</summary>
    private sealed class ChecksThenActs(int limit) : IGate
    {
        private int _running;

        public bool TryEnter()
        {
            if (Volatile.Read(ref _running) >= limit) return false;
            Thread.SpinWait(20); // so that the check need not wait for a rare moment
            Interlocked.Increment(ref _running);
            return true;
        }

        public void Leave() => Interlocked.Decrement(ref _running);
    }

    /// <summary>Planted: a place is lost when two are given back at once.</summary>
    private sealed class LeaksPlaces(int limit) : IGate
    {
        private int _running;

        public bool TryEnter()
        {
            int seen = Volatile.Read(ref _running);
            return seen < limit && Interlocked.CompareExchange(ref _running, seen + 1, seen) == seen;
        }

        public void Leave()
        {
            int seen = Volatile.Read(ref _running);
            Thread.SpinWait(5); // so that the check need not wait for a rare moment
            Volatile.Write(ref _running, seen - 1);
        }
    }

    [Theory]
    [InlineData("ours", true)]
    [InlineData("checks then acts", false)]
    [InlineData("leaks places", false)]
    public void No_more_than_the_limit_run_at_once_and_no_place_is_lost(string which, bool holds)
    {
        const int Limit = 1;
        IGate gate = which switch { "ours" => new Ours(Limit), "leaks places" => new LeaksPlaces(Limit + 1), _ => new ChecksThenActs(Limit) };
        int max = which == "leaks places" ? Limit + 1 : Limit;
        int running = 0;
        bool broken = false;
        Together.Run(2, holds ? 100_000 : 3_000_000, _ => { }, (_, _) =>
        {
            if (!gate.TryEnter()) return;
            if (Interlocked.Increment(ref running) > max) broken = true;
            Interlocked.Decrement(ref running);
            gate.Leave();
        }, _ =>
        {
            int free = 0;
            while (gate.TryEnter()) free++;
            if (free != max) broken = true;
            for (int i = 0; i < free; i++) gate.Leave();
        }, () => Volatile.Read(ref broken));
        broken.Should().Be(!holds);
    }

    [Fact]
    public async Task A_storm_of_entering_cancelling_and_timing_out_loses_no_place_and_no_call_waits_for_ever()
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 4, MaxQueued = 50, MaxWait = TimeSpan.FromMilliseconds(20) });
        int running = 0, max = 0;
        ConcurrentDictionary<string, int> outcomes = new();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(t => Task.Run(async () =>
        {
            Random random = new(t);
            for (int i = 0; i < 300; i++)
            {
                using CancellationTokenSource cancel = new();
                if (random.Next(4) == 0) cancel.CancelAfter(random.Next(5));
                try
                {
                    LimitRejection? rejection = await limit.EnterAsync(cancel.Token);
                    outcomes.AddOrUpdate(rejection?.Why.ToString() ?? "entered", 1, (_, n) => n + 1);
                    if (rejection is not null) continue;
                }
                catch (OperationCanceledException)
                {
                    outcomes.AddOrUpdate("cancelled", 1, (_, n) => n + 1);
                    continue;
                }

                int now = Interlocked.Increment(ref running);
                InterlockedMax(ref max, now);
                if (random.Next(3) == 0) await Task.Yield();
                Interlocked.Decrement(ref running);
                limit.Release();
            }
        }))).WaitAsync(TimeSpan.FromSeconds(120));
        max.Should().BeInRange(1, 4);
        Holds(limit, 0, 0);
        outcomes.Values.Sum().Should().Be(16 * 300);
        outcomes["entered"].Should().BeGreaterThan(1000);
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen;
        while (value > (seen = Volatile.Read(ref target)) && Interlocked.CompareExchange(ref target, value, seen) != seen)
        {
        }
    }

    [Theory]
    [InlineData(Verdict.Success)]
    [InlineData(Verdict.Failure)]
    [InlineData(Verdict.Ignored)]
    [InlineData(Verdict.Rejected)]
    public async Task In_a_pipeline_the_place_comes_back_whatever_the_outcome(Verdict verdict)
    {
        ConcurrencyLimit limit = Make(1, 0);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddConcurrencyLimit(limit)
            .Classify(c => c.On<IOException>(verdict == Verdict.Success ? Verdict.Failure : verdict)).Build();
        foreach (bool suspends in new[] { false, true })
        {
            Outcome<int> outcome = await pipeline.TryExecuteAsync(async _ =>
            {
                if (suspends) await Task.Yield();
                limit.Running.Should().Be(1);
                return verdict == Verdict.Success ? 1 : throw new IOException();
            });
            outcome.Verdict.Should().Be(verdict);
            Holds(limit, 0, 0);
        }
    }

    [Fact]
    public async Task In_a_pipeline_a_call_without_a_place_is_rejected_or_waits_no_longer_than_its_deadline()
    {
        List<ResilienceEvent> heard = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .AddConcurrencyLimit(1, 1).OnEvent(heard.Add).Build();
        TaskCompletionSource<int> hold = new();
        Task<int> holder = pipeline.ExecuteAsync(_ => hold.Task).AsTask();
        Task<Outcome<int>> waiting = pipeline.TryExecuteAsync(
            new CallOptions { Deadline = TimeSpan.FromMilliseconds(300) }, (_, _) => new ValueTask<int>(1), 0).AsTask();
        Outcome<int> rejected = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1));
        rejected.Verdict.Should().Be(Verdict.Rejected);
        rejected.Rejection.Should().BeOfType<LimitRejection>().Which.Why.Should().Be(LimitReason.QueueFull);
        _time.Advance(TimeSpan.FromMilliseconds(300));
        (await waiting.WaitAsync(TimeSpan.FromSeconds(30))).Rejection.Should().BeOfType<LimitRejection>().Which.Why.Should().Be(LimitReason.WaitedTooLong);
        using CancellationTokenSource caller = new();
        Task<Outcome<int>> cancelled = pipeline.TryExecuteAsync(_ => new ValueTask<int>(1), caller.Token).AsTask();
        await caller.CancelAsync();
        (await cancelled.WaitAsync(TimeSpan.FromSeconds(30))).Verdict.Should().Be(Verdict.Ignored);
        Task<Outcome<int>> lucky = pipeline.TryExecuteAsync(_ => new ValueTask<int>(5)).AsTask();
        hold.SetResult(4);
        (await holder).Should().Be(4);
        (await lucky.WaitAsync(TimeSpan.FromSeconds(30))).Value.Should().Be(5);
        heard.OfType<LimitReached>().Should().HaveCount(2);
    }

    /// <summary>Found by a deep run of the simulation: a hedge that waited for the place of the attempt that ended the race ran, though it had lost.</summary>
    [Fact]
    public async Task A_call_that_is_cancelled_at_the_moment_it_is_let_in_does_not_run_and_its_place_is_free()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "let in and cancelled" }.AddConcurrencyLimit(
            new ConcurrencyLimitOptions { MaxConcurrent = 1, MaxQueued = 1 }).Build();
        TaskCompletionSource<int> hold = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<int> holder = pipeline.ExecuteAsync(_ => hold.Task).AsTask();
        using CancellationTokenSource caller = new();
        bool ran = false;
        Task<Outcome<int>> waiting = pipeline.TryExecuteAsync(
            _ =>
            {
                ran = true;
                return new ValueTask<int>(1);
            },
            caller.Token).AsTask();

        // The wait is measured when it is over and the call has not yet gone on.
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "resilience.concurrency_limit.wait.duration") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
        {
            if (tags.ToArray().Contains(new("resilience.pipeline", "let in and cancelled"))) caller.Cancel();
        });
        listener.Start();
        hold.SetResult(4);
        await holder;

        Outcome<int> outcome = await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        caller.IsCancellationRequested.Should().BeTrue();
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeAssignableTo<OperationCanceledException>().Which.CancellationToken.Should().Be(caller.Token);
        ran.Should().BeFalse();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(5))).Value.Should().Be(5, "the place is free");
        Holds(pipeline.Find<ConcurrencyLimit>()!, 0, 0);
    }

    /// <summary>A listener that came while calls ran saw them leave and not enter: fewer than none.</summary>
    [Fact]
    public async Task A_listener_that_comes_late_never_sees_fewer_than_no_calls()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "late listener" }.AddConcurrencyLimit(1, 1).Build();
        TaskCompletionSource<int> hold = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<int> before = pipeline.ExecuteAsync(_ => hold.Task).AsTask(), queued = pipeline.ExecuteAsync(_ => hold.Task).AsTask();
        List<(string Name, long Change)> heard = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name is "resilience.concurrency_limit.running" or "resilience.concurrency_limit.waiting") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, change, tags, _) =>
        {
            if (tags.ToArray().Contains(new("resilience.pipeline", "late listener"))) lock (heard) heard.Add((instrument.Name, change));
        });
        listener.Start();
        hold.SetResult(1);
        await Task.WhenAll(before, queued).WaitAsync(TimeSpan.FromSeconds(30));
        await pipeline.ExecuteAsync(async _ =>
        {
            await Task.Yield();
            return 2;
        });
        heard.GroupBy(h => h.Name).Should().ContainSingle().Which.Key.Should().Be("resilience.concurrency_limit.running");
        heard.Select(h => h.Change).Should().Equal(1, -1, 1, -1);
    }

    [Fact]
    public void Options_out_of_range_are_all_reported() =>
        FluentActions.Invoking(() => new ConcurrencyLimit(new() { MaxConcurrent = 0, MaxQueued = -1, MaxWait = TimeSpan.MaxValue }))
            .Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option).Should().Equal("MaxConcurrent", "MaxQueued", "MaxWait");
}
