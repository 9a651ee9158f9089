namespace Resilience.Tests.Timeouts;

/// <summary>The pooled sources under real threads: what is taken back is never cancelled, what fires is never used again.</summary>
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
        private readonly TimeoutSource _source = new(isExact: false, isPooled: true);

        public CancellationToken Token => _source.Token;

        public void Arm() => _source.Arm(1, TimeSpan.FromSeconds(1));

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
    public void The_check_finds_a_source_that_is_taken_back_without_a_compare_and_swap() => BothHappened(() => new Careless(), 5_000_000).Should().BeGreaterThan(0);

    private static int BothHappened(Func<ISource> make, int rounds)
    {
        ISource source = make();
        bool fired = false, reusable = false;
        int both = 0, neither = 0;
        Together.Run(2, rounds, _ =>
        {
            if (both > 0) return;
            if (!reusable) source = make();
            source.Arm();
        }, (thread, _) =>
        {
            if (both > 0) return;
            if (thread == 0) source.Disarm(out reusable);
            else fired = source.TryFire();
        }, _ =>
        {
            if (fired && reusable) both++;
            if (!fired && !reusable) neither++;
            if (fired) source.Cancel();
        });
        neither.Should().Be(0, "a source that did not fire is good to be used again");
        return both;
    }

    [Fact]
    public void A_child_that_is_hung_below_a_source_that_ends_is_ended_or_taken_back_never_neither()
    {
        TimeoutSource outer = null!, inner = null!;
        bool reusable = false;
        int lost = 0, wronged = 0, ended = 0;
        Together.Run(2, 100_000, _ =>
        {
            outer = new(isExact: false, isPooled: true);
            inner = new(isExact: false, isPooled: true);
            outer.Arm(1, TimeSpan.FromSeconds(1));
            inner.Arm(long.MaxValue - 5, TimeSpan.FromSeconds(1));
        }, (thread, _) =>
        {
            if (thread == 0)
            {
                inner.LinkTo(outer, outer.Token);
                inner.Disarm(out reusable);
            }
            else if (outer.TryFire(100))
            {
                ((IThreadPoolWorkItem)outer).Execute();
            }
        }, _ =>
        {
            if (reusable && inner.Token.IsCancellationRequested) wronged++;
            if (!reusable && !inner.Token.IsCancellationRequested) lost++;
            if (!reusable) ended++;
        });
        wronged.Should().Be(0, "a source that was given back for use is never cancelled");
        lost.Should().Be(0, "a source that was not given back was ended");
        ended.Should().BeGreaterThan(0, "the two must have met");
    }

    [Fact]
    public void A_child_that_stays_hears_the_end_of_what_is_around_it()
    {
        TimeoutSource outer = null!, inner = null!;
        Together.Run(2, 50_000, _ =>
        {
            outer = new(isExact: false, isPooled: true);
            inner = new(isExact: false, isPooled: true);
            outer.Arm(1, TimeSpan.FromSeconds(1));
        }, (thread, _) =>
        {
            if (thread == 0) inner.LinkTo(outer, outer.Token);
            else if (outer.TryFire(100)) ((IThreadPoolWorkItem)outer).Execute();
        }, _ => inner.Token.IsCancellationRequested.Should().BeTrue());
    }

    [Fact]
    public void Two_children_at_once_are_both_ended()
    {
        TimeoutSource outer = new(isExact: false, isPooled: true), first = new(isExact: false, isPooled: true), second = new(isExact: false, isPooled: true);
        outer.Arm(1, TimeSpan.FromSeconds(1));
        first.LinkTo(outer, outer.Token);
        second.LinkTo(outer, outer.Token);
        outer.TryFire(5).Should().BeTrue();
        ((IThreadPoolWorkItem)outer).Execute();
        first.Token.IsCancellationRequested.Should().BeTrue();
        second.Token.IsCancellationRequested.Should().BeTrue();
    }

    [Fact]
    public async Task The_scanner_stops_when_idle_and_no_arming_is_lost_when_it_starts_again()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(220)).Build();
        for (int round = 0; round < 3; round++)
        {
            // The scanner stops after about a second in which nothing is armed; the rounds begin before, around and after that moment.
            await Task.Delay(round * 600);
            await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => pipeline.TryExecuteAsync(async ct =>
            {
                await Task.Delay(Timeout.Infinite, ct);
                return 1;
            }).AsTask())).WaitAsync(TimeSpan.FromSeconds(30));
        }
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
