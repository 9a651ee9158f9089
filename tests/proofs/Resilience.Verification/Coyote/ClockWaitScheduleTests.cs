using Microsoft.Coyote.Specifications;

namespace Resilience.Verification.Coyote;

/// <summary>A wait that begins while its timer already fires and its token is cancelled: in every order it ends once, and leaves neither a timer nor a
/// registration behind.</summary>
public sealed class ClockWaitScheduleTests(ITestOutputHelper output)
{
    /// <summary>Time whose timers fire when a scenario says so, and whose hops are made by it.</summary>
    private sealed class Timers : TimeProvider, IContinuationRunner
    {
        private Timer? _last;
        private IThreadPoolWorkItem? _posted;
        private int _made;

        internal bool IsLeft => Volatile.Read(ref _last) is { IsDisposed: false };

        internal bool HasPosted => Volatile.Read(ref _posted) is not null;

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => 1_000_000;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Timer timer = new(callback, state);
            Volatile.Write(ref _last, timer); // from now on it may fire
            Interlocked.Increment(ref _made); // a step, so that it may fire before who asked for it has it
            return timer;
        }

        public void Enqueue(IThreadPoolWorkItem work) => Interlocked.Exchange(ref _posted, work);

        internal void Fire() => Volatile.Read(ref _last)?.Fire();

        internal void Hop() => Interlocked.Exchange(ref _posted, null)?.Execute();

        private sealed class Timer(TimerCallback callback, object? state) : ITimer
        {
            private int _isDisposed;

            internal bool IsDisposed => Volatile.Read(ref _isDisposed) != 0;

            internal void Fire()
            {
                if (!IsDisposed) callback(state);
            }

            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose() => Interlocked.Exchange(ref _isDisposed, 1);

            public ValueTask DisposeAsync()
            {
                Dispose();
                return default;
            }
        }
    }

    /// <summary>A planted flaw: it does not look whether it has ended before it had its timer and its registration.</summary>
    private sealed class Forgetful : IThreadPoolWorkItem
    {
        private readonly Timers _time;
        private ITimer? _timer;
        private CancellationTokenRegistration _cancelled;
        private int _isOver;

        private Forgetful(Timers time) => _time = time;

        internal bool HasEnded => Volatile.Read(ref _isOver) != 0;

        internal static Func<bool> Begin(Timers time, CancellationToken token)
        {
            Forgetful wait = new(time);
            wait._timer = time.CreateTimer(static w => ((Forgetful)w!).Execute(), wait, TimeSpan.FromMilliseconds(10), Timeout.InfiniteTimeSpan);
            wait._cancelled = token.UnsafeRegister(static w => ((Forgetful)w!)._time.Enqueue((Forgetful)w!), wait);
            return () => wait.HasEnded;
        }

        public void Execute()
        {
            if (Interlocked.Exchange(ref _isOver, 1) != 0) return;
            _timer?.Dispose();
            _cancelled.Unregister();
        }
    }

    private static Func<bool> Begin(Timers time, CancellationToken token)
    {
        Task wait = ClockWait.ForAsync(Clock.For(time), TimeSpan.FromMilliseconds(10), token);
        return () => wait.IsCompleted;
    }

    private static void Check(Func<Timers, CancellationToken, Func<bool>> begin, bool fires, bool cancels)
    {
        Timers time = new();
        CancellationTokenSource source = new();
        Func<bool> hasEnded = static () => false;
        List<Action> threads = [() => hasEnded = begin(time, source.Token)];
        if (fires) threads.Add(time.Fire);
        if (cancels)
        {
            threads.Add(() =>
            {
                source.Cancel();
                time.Hop();
            });
        }

        Threads.Run([.. threads]);
        time.Hop();
        time.Fire();
        Specification.Assert(hasEnded(), "the wait has not ended");
        Specification.Assert(!time.IsLeft, "a timer is left behind");
        if (!cancels) source.Cancel();
        Specification.Assert(cancels || !time.HasPosted, "a registration is left behind");
    }

    [CoyoteTheory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void A_wait_ends_once_and_leaves_nothing_behind_whenever_its_timer_fires_and_its_token_is_cancelled(bool fires, bool cancels)
    {
        Exploration found = Explorer.Exhaust(() => Check(Begin, fires, cancels), Grain.Atomics, Bounds.Of(3000, 100_000), flows: true);
        output.WriteLine($"{found.Schedules:N0} schedules{(found.IsComplete ? ", no other exists" : "")}");
        found.Flaw.Should().BeNull();
        found.Schedules.Should().BeGreaterThan(3);
    }

    [CoyoteFact]
    public void A_wait_that_does_not_look_again_is_found()
    {
        Exploration found = Explorer.Exhaust(() => Check(Forgetful.Begin, fires: true, cancels: false), Grain.Atomics, 20_000, flows: true);
        output.WriteLine($"found after {found.Schedules} schedules");
        found.Flaw.Should().Contain("is left behind");
    }
}
