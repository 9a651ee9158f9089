using Resilience.Extensibility;

namespace Resilience.Tests;

/// <summary>Time that goes from one timer to the next on the thread of the test, together with all that policies go on with: the same calls give the
/// same trace, whatever the machine does.</summary>
internal sealed class SteppedTime : TimeProvider, IContinuationRunner
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Lock _gate = new();
    private readonly Queue<IThreadPoolWorkItem> _work = [];
    private readonly List<Timer> _timers = []; // in the order in which they were set
    private long _nowMs;

    public long NowMs => Volatile.Read(ref _nowMs);

    public override long TimestampFrequency => 1000;

    public override long GetTimestamp() => NowMs;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddMilliseconds(NowMs);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Timer timer = new(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    public void Enqueue(IThreadPoolWorkItem work)
    {
        lock (_gate) _work.Enqueue(work);
    }

    /// <summary>Goes on until this has ended. Nothing else may be under way on other threads.</summary>
    public void RunUntil(Task ended)
    {
        while (!ended.IsCompleted)
        {
            if (!Step()) SpinWait.SpinUntil(() => ended.IsCompleted || HasSteps, Patience).Should().BeTrue("what is awaited ends, or something is due");
        }
    }

    public void Advance(TimeSpan span)
    {
        long until = NowMs + (long)span.TotalMilliseconds;
        RunUntil(Wait(until));
    }

    private Task Wait(long untilMs)
    {
        TaskCompletionSource reached = new();
        CreateTimer(_ => reached.SetResult(), null, TimeSpan.FromMilliseconds(untilMs - NowMs), Timeout.InfiniteTimeSpan);
        return reached.Task;
    }

    private bool HasSteps
    {
        get
        {
            lock (_gate) return _work.Count + _timers.Count > 0;
        }
    }

    private bool Step()
    {
        Timer? due;
        IThreadPoolWorkItem? work;
        lock (_gate)
        {
            due = null;
            if (!_work.TryDequeue(out work))
            {
                due = _timers.MinBy(timer => timer.DueMs);
                if (due is null) return false;
                _timers.Remove(due);
                _nowMs = Math.Max(_nowMs, due.DueMs);
            }
        }

        if (work is not null) work.Execute();
        else due!.Fire();
        return true;
    }

    private sealed class Timer(SteppedTime time, TimerCallback callback, object? state) : ITimer
    {
        public long DueMs { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                time._timers.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan) return true;
                DueMs = time._nowMs + (long)dueTime.TotalMilliseconds;
                time._timers.Add(this);
                return true;
            }
        }

        public void Dispose()
        {
            lock (time._gate) time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
