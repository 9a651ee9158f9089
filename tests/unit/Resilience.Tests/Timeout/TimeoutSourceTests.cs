namespace Resilience.Tests.Timeouts;

/// <summary>The pooled sources under real threads: what is taken back is never cancelled, what fires is never used again.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class TimeoutSourceTests
{
    /// <summary>What the check needs of a source, so that a wrong one can be put in the place of ours.</summary>
    private interface ISource
    {
        void Arm();

        bool Disarm(out bool reusable);

        bool TryFire();

        CancellationToken Token { get; }

        void Cancel();
    }

    private sealed class Ours : ISource
    {
        private readonly TimeoutSource _source = new(TimeoutScanner.System, isPooled: true);

        public CancellationToken Token => _source.Token;

        public void Arm() => _source.Arm(1);

        public bool Disarm(out bool reusable) => _source.Disarm(out reusable);

        public bool TryFire() => _source.TryFire(long.MaxValue - 1);

        public void Cancel() => ((IThreadPoolWorkItem)_source).Execute();
    }

    /// <summary>Planted: takes its deadline back with a plain write instead of a compare-and-swap.</summary>
    private sealed class Careless : ISource
    {
        private readonly CancellationTokenSource _source = new();
        private long _due;

        public CancellationToken Token => _source.Token;

        public void Arm() => Volatile.Write(ref _due, 1);

        public bool Disarm(out bool reusable)
        {
            bool fired = Volatile.Read(ref _due) == -1;
            Thread.SpinWait(5); // so that the check need not wait for a rare moment
            Volatile.Write(ref _due, 0);
            reusable = !fired;
            return fired;
        }

        public bool TryFire() => Interlocked.CompareExchange(ref _due, -1, 1) == 1;

        public void Cancel() => _source.Cancel();
    }

    [Fact]
    public void A_source_is_taken_back_or_fires_never_both() => BothHappened(() => new Ours(), 200_000).Should().Be(0);

    [Fact]
    public void The_check_finds_a_source_that_is_taken_back_without_a_compare_and_swap() =>
        BothHappened(() => new Careless(), 5_000_000).Should().BeGreaterThan(0);

    private static int BothHappened(Func<ISource> make, int rounds)
    {
        ISource source = make();
        bool fired = false, reusable = false;
        int both = 0, neither = 0;
        Together.Run(2, rounds, _ =>
        {
            if (!reusable) source = make();
            source.Arm();
        }, (thread, _) =>
        {
            if (thread == 0) source.Disarm(out reusable);
            else fired = source.TryFire();
        }, _ =>
        {
            if (fired && reusable) both++;
            if (!fired && !reusable) neither++;
            if (fired) source.Cancel();
        }, () => both > 0);
        neither.Should().Be(0, "a source that did not fire is good to be used again");
        return both;
    }

    [Fact]
    public void A_child_that_is_hung_below_a_source_that_ends_is_ended_or_taken_back_never_neither()
    {
        TimeoutSource outer = null!, inner = null!;
        bool reusable = false;
        int lost = 0, wronged = 0, ended = 0, rounds = 0;
        Together.Run(2, 5_000_000, _ =>
        {
            outer = new(TimeoutScanner.System, isPooled: true);
            inner = new(TimeoutScanner.System, isPooled: true);
            outer.Arm(1);
            inner.Arm(long.MaxValue - 5);
        }, (thread, round) =>
        {
            if (thread == 0)
            {
                inner.LinkTo(outer, outer.Token);
                Thread.SpinWait(round % 64); // so that the end comes before, between and after
                inner.Disarm(out reusable);
            }
            else if (outer.TryFire(100))
            {
                ((IThreadPoolWorkItem)outer).Execute();
            }
        }, _ =>
        {
            rounds++;
            if (reusable && inner.Token.IsCancellationRequested) wronged++;
            if (!reusable && !inner.Token.IsCancellationRequested) lost++;
            if (!reusable) ended++;
        }, () => rounds >= 100_000 && ended >= 3); // on a busy machine two threads seldom meet: go on until they have
        wronged.Should().Be(0, "a source that was given back for use is never cancelled");
        lost.Should().Be(0, "a source that was not given back was ended");
        ended.Should().BeGreaterThan(0, "the two must have met");
    }

    [Fact]
    public void A_child_that_stays_is_cancelled_with_its_parent()
    {
        TimeoutSource outer = null!, inner = null!;
        Together.Run(2, 50_000, _ =>
        {
            outer = new(TimeoutScanner.System, isPooled: true);
            inner = new(TimeoutScanner.System, isPooled: true);
            outer.Arm(1);
        }, (thread, _) =>
        {
            if (thread == 0) inner.LinkTo(outer, outer.Token);
            else if (outer.TryFire(100)) ((IThreadPoolWorkItem)outer).Execute();
        }, _ => inner.Token.IsCancellationRequested.Should().BeTrue());
    }

    [Fact]
    public void Two_children_at_once_are_both_ended()
    {
        TimeoutSource outer = new(TimeoutScanner.System, isPooled: true), first = new(TimeoutScanner.System, isPooled: true),
            second = new(TimeoutScanner.System, isPooled: true);
        outer.Arm(1);
        first.LinkTo(outer, outer.Token);
        second.LinkTo(outer, outer.Token);
        outer.TryFire(5).Should().BeTrue();
        ((IThreadPoolWorkItem)outer).Execute();
        first.Token.IsCancellationRequested.Should().BeTrue();
        second.Token.IsCancellationRequested.Should().BeTrue();
    }

    [Fact]
    public void A_source_below_which_a_part_of_the_call_still_runs_is_not_used_again()
    {
        TimeoutSource outer = new(TimeoutScanner.System, isPooled: true), left = new(TimeoutScanner.System, isPooled: true);
        outer.Arm(long.MaxValue - 5);
        left.LinkTo(outer, outer.Token);
        outer.Disarm(out bool reusable).Should().BeFalse();
        reusable.Should().BeFalse("its next life would end the one that was left behind");
        left.Disarm(out reusable);
        reusable.Should().BeTrue("it is free: no timeout will cancel it");
    }

    [Fact]
    public void Threads_that_have_ended_leave_no_sources_behind()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(30)).Build();
        int before = TimeoutScanner.System.Count;
        for (int i = 0; i < 4000; i++)
        {
            Thread thread = new(() => pipeline.ExecuteAsync(_ => new ValueTask<int>(1)).GetAwaiter().GetResult());
            thread.Start();
            thread.Join();
            if (i % 100 != 0) continue;
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        (TimeoutScanner.System.Count - before).Should().BeLessThan(2000, "the spares of a thread go to the others when it ends");
    }

    [Fact]
    public async Task Thousands_of_calls_in_flight_end_on_time_and_leave_the_table_bounded()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(300)).Build();
        Outcome<int>[] outcomes = await Task.WhenAll(Enumerable.Range(0, 5000).Select(i => pipeline.TryExecuteAsync(async ct =>
        {
            if (i % 2 == 0) await Task.Delay(Timeout.Infinite, ct);
            else await Task.Yield();
            return i;
        }).AsTask())).WaitAsync(TimeSpan.FromSeconds(60));
        outcomes.Count(o => o.Exception is TimedOutException).Should().Be(2500);
        outcomes.Count(o => o.IsSuccess).Should().Be(2500);
        TimeoutScanner.System.Count.Should().BeLessThan(9000, "sources that fired are forgotten, and the pool keeps a bounded number");
    }
}
