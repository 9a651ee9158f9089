using Microsoft.Coyote.Specifications;

namespace Resilience.Verification.Coyote;

/// <summary>The dispatcher beside its own timer: while something is armed, posted and taken back, the timer fires. In every order what was armed or posted
/// runs once, what was taken back at most once, and as long as something is left the timer is set.</summary>
/// <remarks>With the timer of the runtime alone: the keeper and the helpers are threads that wait in real time, which no scheduler sees.</remarks>
public sealed class DispatcherScheduleTests(ITestOutputHelper output)
{
    /// <summary>One timer, which fires when a scenario says so, if it is due.</summary>
    private sealed class Timers : TimeProvider, ITimer
    {
        private const long Unset = long.MaxValue;

        private long _nowMs = 1000;
        private long _dueMs = Unset;
        private Action _fire = static () => { };

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Volatile.Read(ref _nowMs);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _fire = () => callback(state);
            return this;
        }

        internal ITimer Make(Action fire)
        {
            _fire = fire;
            return this;
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Exchange(ref _dueMs, dueTime == Timeout.InfiniteTimeSpan ? Unset : GetTimestamp() + (long)dueTime.TotalMilliseconds);
            return true;
        }

        internal void Advance(long ms) => Interlocked.Add(ref _nowMs, ms);

        /// <summary>False when it is not set, or not due.</summary>
        internal bool Fire()
        {
            long due = Volatile.Read(ref _dueMs);
            if (due > GetTimestamp() || Interlocked.CompareExchange(ref _dueMs, Unset, due) != due) return false;
            _fire();
            return true;
        }

        /// <summary>Time goes on until the timer is not set any more.</summary>
        internal void RunOut()
        {
            for (int i = 0; i < 50 && Volatile.Read(ref _dueMs) != Unset; i++)
            {
                Advance(Math.Max(0, Volatile.Read(ref _dueMs) - GetTimestamp()));
                Fire();
            }
        }

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => default;
    }

    private sealed class Work : TimedWork
    {
        private int _ran;

        internal int Ran => Volatile.Read(ref _ran);

        internal override bool TryFire(long nowMs) => true;

        public override void Execute() => Interlocked.Increment(ref _ran);
    }

    private interface ISubject
    {
        void Arm(Work work, long dueMs);

        void Disarm(Work work);

        void Post(Work work);
    }

    private sealed class Real(Timers time) : ISubject
    {
        private readonly Clock _clock = Clock.For(time);
        private readonly Dispatcher _dispatcher = new(Clock.For(time), usesRuntimeTimers: true, new SafeTime(time));

        public void Arm(Work work, long dueMs) => _dispatcher.Arm(work, dueMs);

        public void Disarm(Work work) => _dispatcher.Disarm(work);

        public void Post(Work work) => _dispatcher.Post(work, _clock.NowMs);
    }

    /// <summary>A small one that looks under its gate, and sets its timer there, or with the flaw after it.</summary>
    private sealed class Twin : ISubject
    {
        private readonly object _gate = new();
        private readonly Timers _time;
        private readonly ITimer _timer;
        private readonly bool _setsLate;
        private readonly List<(Work Work, long DueMs)> _armed = [];

        internal Twin(Timers time, bool setsLate)
        {
            _time = time;
            _setsLate = setsLate;
            _timer = time.Make(Look);
        }

        public void Arm(Work work, long dueMs)
        {
            lock (_gate)
            {
                _armed.Add((work, dueMs));
                Set(Next());
            }
        }

        public void Disarm(Work work)
        {
            lock (_gate) _armed.RemoveAll(one => one.Work == work);
        }

        public void Post(Work work) => Arm(work, 0);

        private void Look()
        {
            List<Work> due = [];
            TimeSpan next;
            lock (_gate)
            {
                long now = NowMs;
                foreach ((Work work, long dueMs) in _armed.FindAll(one => one.DueMs <= now)) due.Add(work);
                _armed.RemoveAll(one => one.DueMs <= now);
                next = Next();
                if (!_setsLate) Set(next);
            }

            if (_setsLate) Set(next);
            foreach (Work work in due) work.Execute();
        }

        private long NowMs => Clock.For(_time).NowMs;

        private TimeSpan Next() =>
            _armed.Count == 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(Math.Max(0, _armed.Min(one => one.DueMs) - NowMs));

        private void Set(TimeSpan next) => _timer.Change(next, Timeout.InfiniteTimeSpan);
    }

    private static void Scenario(Func<Timers, ISubject> make, bool takesBack)
    {
        Timers time = new();
        ISubject subject = make(time);
        long now = Clock.For(time).NowMs;
        Work armed = new(), posted = new(), takenBack = new(), movedOn = new();
        subject.Arm(movedOn, now + 3);
        List<Action> threads =
        [
            () => subject.Arm(armed, now + 5),
            () =>
            {
                time.Advance(4);
                time.Fire();
            },
        ];
        if (takesBack)
        {
            threads.Add(() =>
            {
                subject.Post(posted);
                subject.Arm(takenBack, now + 4);
                subject.Disarm(takenBack);
            });
        }
        else
        {
            subject.Post(posted);
        }

        Threads.Run([.. threads]);
        time.RunOut();
        Specification.Assert(
            armed.Ran == 1 && movedOn.Ran == 1 && posted.Ran == 1 && takenBack.Ran <= 1,
            "armed before ran {0} times, armed {1}, posted {2}, taken back {3}", movedOn.Ran, armed.Ran, posted.Ran, takenBack.Ran);
    }

    [CoyoteFact]
    public void What_is_armed_or_posted_while_the_timer_fires_runs_once() => Explore(static time => new Real(time)).Should().BeNull();

    [CoyoteFact]
    public void The_twin_of_the_dispatcher_without_a_flaw_is_found_to_be_right() => Explore(static time => new Twin(time, setsLate: false)).Should().BeNull();

    [CoyoteFact]
    public void A_dispatcher_that_sets_its_timer_outside_of_its_gate_is_found() =>
        Explore(static time => new Twin(time, setsLate: true)).Should().MatchRegex("armed 0|posted 0");

    /// <summary>Two threads at random and then in every order, as far as the bound goes; three in many. At random first: a search in order can spend its
    /// bound on orders that differ late.</summary>
    private string? Explore(Func<Timers, ISubject> make)
    {
        Exploration sampled = Explorer.Sample(() => Scenario(make, takesBack: false), Grain.Atomics, Bounds.Of(1000, 50_000), flows: true);
        output.WriteLine($"{sampled.Schedules:N0} schedules at random");
        if (sampled.Flaw is { } early) return early;
        foreach (bool takesBack in new[] { false, true })
        {
            Exploration found = Explorer.Exhaust(() => Scenario(make, takesBack), Grain.Atomics, Bounds.Of(takesBack ? 1500 : 5000, 100_000), flows: true);
            output.WriteLine($"{found.Schedules:N0} schedules{(found.IsComplete ? ", no other exists" : "")}");
            if (found.Flaw is { } flaw) return flaw;
        }

        return Explorer.Sample(() => Scenario(make, takesBack: true), Grain.Volatiles, Bounds.Of(500, 50_000), flows: true).Flaw;
    }
}
