using System.Diagnostics.Metrics;

namespace Resilience.Tests.Threading;

/// <summary>Work that is due may block or throw: other work is not run late, or never, because of it.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class DispatcherTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1); // of the tests: nothing here lasts so long

    private static Dispatcher Make(bool usesRuntimeTimers) => new(Clock.System, usesRuntimeTimers);

    private sealed class Work(Action act) : TimedWork
    {
        internal override bool TryFire(long nowMs) => true;

        public override void Execute() => act();
    }

    /// <summary>What is checked: somewhere to put work that is due.</summary>
    private interface IDispatch
    {
        void Post(IThreadPoolWorkItem work);
    }

    private sealed class Ours(bool usesRuntimeTimers) : IDispatch
    {
        private readonly Dispatcher _dispatcher = Make(usesRuntimeTimers);

        public void Post(IThreadPoolWorkItem work) => _dispatcher.Post(work, Clock.System.NowMs);
    }

    /// <summary>Planted: one thread that takes from a queue, whatever holds it up or is thrown at it.</summary>
    private sealed class OneThread : IDispatch
    {
        private readonly System.Collections.Concurrent.BlockingCollection<IThreadPoolWorkItem> _queue = [];

        public OneThread(bool catches)
        {
            Thread thread = new(() =>
            {
                try
                {
                    foreach (IThreadPoolWorkItem work in _queue.GetConsumingEnumerable()) Run(work, catches);
                }
                catch (InvalidOperationException)
                {
                    // The thread ends, and the rest stays where it is.
                }
            })
            { IsBackground = true };
            thread.Start();
        }

        private static void Run(IThreadPoolWorkItem work, bool catches)
        {
            try
            {
                work.Execute();
            }
            catch (InvalidOperationException) when (catches)
            {
                // Counted by ours.
            }
        }

        public void Post(IThreadPoolWorkItem work) => _queue.Add(work);
    }

    /// <summary>True when all others ran although some block; they are let go only then.</summary>
    private static bool OthersRun(IDispatch dispatch, int blocked, int others, TimeSpan patience)
    {
        using ManualResetEventSlim letGo = new();
        using CountdownEvent held = new(blocked), left = new(others);
        for (int i = 0; i < blocked; i++)
        {
            dispatch.Post(new Work(() =>
            {
                held.Signal();
                letGo.Wait(Patience);
            }));
        }

        for (int i = 0; i < others; i++) dispatch.Post(new Work(() => left.Signal()));
        bool ran = left.Wait(patience);
        letGo.Set();
        held.Wait(Patience);
        left.Wait(Patience);
        return ran;
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(5, false)]
    [InlineData(Dispatcher.MaxHelpers + 4, false)] // more than there are threads of ours: the rest goes to the pool
    public void Work_that_blocks_delays_no_other(int blocked, bool usesRuntimeTimers) =>
        OthersRun(new Ours(usesRuntimeTimers), blocked, 1000, Patience).Should().BeTrue();

    [Fact]
    public void The_check_finds_a_dispatcher_with_one_worker() => OthersRun(new OneThread(catches: true), 1, 10, TimeSpan.FromSeconds(1)).Should().BeFalse();

    private static bool OthersRunAfterThrows(IDispatch dispatch, TimeSpan patience)
    {
        using CountdownEvent left = new(100);
        for (int i = 0; i < 100; i++)
        {
            dispatch.Post(new Work(static () => throw new InvalidOperationException("planted")));
            dispatch.Post(new Work(() => left.Signal()));
        }

        bool ran = left.Wait(patience);
        if (!ran) left.Reset(1);
        return ran;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Work_that_throws_loses_no_other(bool usesRuntimeTimers) => OthersRunAfterThrows(new Ours(usesRuntimeTimers), Patience).Should().BeTrue();

    [Fact]
    public void The_check_finds_a_dispatcher_that_is_lost_with_what_throws() =>
        OthersRunAfterThrows(new OneThread(catches: false), TimeSpan.FromSeconds(1)).Should().BeFalse();

    [Theory]
    [InlineData(120)] // in the heap
    [InlineData(300)] // in the scanner's table
    public void A_registration_that_blocks_delays_none_of_a_thousand_timeouts(int ms)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(ms)).Build();
        using ManualResetEventSlim letGo = new();
        using CountdownEvent left = new(1000);
        for (int i = 0; i <= 1000; i++)
        {
            int call = i;
            _ = pipeline.TryExecuteAsync(token =>
            {
                if (call == 500) token.Register(() => letGo.Wait(Patience));
                else token.Register(() => left.Signal());
                return new ValueTask<int>(new TaskCompletionSource<int>().Task);
            }).AsTask();
        }

        left.Wait(Patience).Should().BeTrue("the others end before the one that blocks is released");
        letGo.Set();
    }

    [Fact]
    public void A_caller_that_goes_on_and_blocks_delays_no_other()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o =>
        {
            (o.MaxRetries, o.BackoffKind, o.Jitter) = (1, BackoffKind.Constant, BackoffJitter.None);
            (o.BaseDelay, o.Budget) = (TimeSpan.FromMilliseconds(100), RetryBudget.Unlimited);
        }).Build();
        using ManualResetEventSlim letGo = new();
        using CountdownEvent left = new(200);
        for (int i = 0; i <= 200; i++)
        {
            int call = i, attempts = 0;
            _ = pipeline.TryExecuteAsync(_ =>
            {
                if (++attempts == 1) return ValueTask.FromException<int>(new IOException());
                if (call == 0) letGo.Wait(Patience, CancellationToken.None);
                else left.Signal();
                return new(1);
            }).AsTask();
        }

        left.Wait(Patience).Should().BeTrue();
        letGo.Set();
    }

    [Fact]
    public async Task A_registration_that_throws_is_counted_and_the_others_are_called()
    {
        int counted = 0;
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "resilience.callback.errors") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (Equals(tag.Value, "cancellation callback")) Interlocked.Add(ref counted, (int)value);
            }
        });
        listener.Start();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(300)).Build();
        Outcome<int>[] outcomes = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => pipeline.TryExecuteAsync(async token =>
        {
            token.Register(static () => throw new InvalidOperationException("planted"));
            await Task.Delay(Timeout.Infinite, token);
            return 1;
        }).AsTask())).WaitAsync(Patience);
        outcomes.Should().OnlyContain(o => o.Exception is TimedOutException);
        SpinWait.SpinUntil(() => Volatile.Read(ref counted) == 50, Patience).Should().BeTrue("each is counted, perhaps after its call has ended");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Work_keeps_no_callers_execution_context_and_leaves_none(bool usesRuntimeTimers)
    {
        AsyncLocal<string?> mine = new() { Value = "the caller's" };
        Dispatcher dispatcher = Make(usesRuntimeTimers);
        using CountdownEvent left = new(20);
        List<string?> seen = [];
        for (int i = 0; i < 20; i++)
        {
            dispatcher.Arm(new Work(() =>
            {
                lock (seen) seen.Add(mine.Value);
                mine.Value = "left behind";
                left.Signal();
            }), Clock.System.NowMs + (i / 5 * 20));
        }

        left.Wait(Patience).Should().BeTrue();
        seen.Should().OnlyContain(value => value == null);
        mine.Value.Should().Be("the caller's");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_disarmed_does_not_happen_and_the_rest_does_in_its_order(bool usesRuntimeTimers)
    {
        Dispatcher dispatcher = Make(usesRuntimeTimers);
        List<int> happened = [];

        // On a machine so busy that the first is due before the last is disarmed, again with more time.
        for (int leadMs = 100; !DisarmsInTime(dispatcher, happened, leadMs); leadMs *= 2) leadMs.Should().BeLessThan((int)Patience.TotalMilliseconds);
        dispatcher.Armed.Should().Be(0);
        happened.Should().HaveCount(50).And.OnlyContain(i => i % 2 == 1).And.OnlyHaveUniqueItems();
    }

    /// <summary>Arms a hundred, disarms every other one, and waits for the rest.</summary>
    /// <returns>False when one of them was due before all were disarmed.</returns>
    private static bool DisarmsInTime(Dispatcher dispatcher, List<int> happened, int leadMs)
    {
        happened.Clear();
        int done = 0;
        long start = Clock.System.NowMs + leadMs;
        Work[] works = [.. Enumerable.Range(0, 100).Select(i => new Work(() =>
        {
            lock (happened) happened.Add(i);
            Interlocked.Increment(ref done);
        }))];
        foreach (int i in Enumerable.Range(0, 100).OrderBy(i => i * 37 % 100)) dispatcher.Arm(works[i], start + (i / 10 * 10));
        for (int i = 0; i < 100; i += 2) dispatcher.Disarm(works[i]);
        bool isInTime = Clock.System.NowMs < start;
        SpinWait.SpinUntil(() => dispatcher.Armed == 0 && Volatile.Read(ref done) >= 50, Patience).Should().BeTrue("what is armed happens");
        return isInTime;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_timer_that_repeats_does_so_until_it_is_disposed(bool usesRuntimeTimers)
    {
        using CountdownEvent ticks = new(5);
        DispatcherTimer timer = new(Make(usesRuntimeTimers), _ => { if (!ticks.IsSet) ticks.Signal(); }, null, isOurOwn: false);
        timer.Change(TimeSpan.Zero, TimeSpan.FromMilliseconds(5));
        ticks.Wait(Patience).Should().BeTrue();
        timer.Dispose();
        timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan).Should().BeFalse();
    }

    [Fact]
    public async Task A_wait_ends_with_its_time_or_its_token_and_forgets_both()
    {
        int before = Dispatcher.System.Armed;
        await ClockWait.ForAsync(Clock.System, TimeSpan.FromMilliseconds(5), default).WaitAsync(Patience);
        for (int round = 0; round < 200; round++)
        {
            using CancellationTokenSource source = new();
            Task wait = ClockWait.ForAsync(Clock.System, TimeSpan.FromMilliseconds(round % 3), source.Token),
                end = ClockWait.ForAsync(Clock.System, Patience * 2, source.Token);
            source.Cancel();
            await Task.WhenAll(wait, end).WaitAsync(Patience);
        }

        SpinWait.SpinUntil(() => Dispatcher.System.Armed <= before, Patience).Should().BeTrue("nothing stays in the heap");
    }

    [Fact]
    public void A_wait_that_is_cancelled_does_not_go_on_inside_of_the_cancellation()
    {
        using CancellationTokenSource source = new();
        using ManualResetEventSlim isOver = new();
        int thread = 0;
        _ = GoOnAsync();
        source.Cancel();
        isOver.Wait(Patience).Should().BeTrue();
        thread.Should().NotBe(Environment.CurrentManagedThreadId);

        async Task GoOnAsync()
        {
            await ClockWait.ForAsync(Clock.System, Patience, source.Token).ConfigureAwait(false);
            thread = Environment.CurrentManagedThreadId;
            isOver.Set();
        }
    }
}
