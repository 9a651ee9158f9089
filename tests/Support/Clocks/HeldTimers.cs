namespace Resilience.Tests;

/// <summary>Time stands still until the test moves it, and a timer fires when the test says.</summary>
internal sealed class HeldTimers : TimeProvider
{
    private readonly List<Timer> _set = []; // in the order in which they were set
    private long _now = TimeSpan.TicksPerDay;

    /// <summary>Whether any timer is set.</summary>
    public bool IsSet
    {
        get
        {
            lock (_set) return _set.Count > 0;
        }
    }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    /// <summary>Time passes, and no timer fires.</summary>
    public void Advance(TimeSpan span) => Interlocked.Add(ref _now, span.Ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Timer timer = new(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Fires what is set now, in the order in which it was set.</summary>
    public void FireAll()
    {
        Timer[] due;
        lock (_set)
        {
            due = [.. _set];
            _set.Clear();
        }

        foreach (Timer timer in due) timer.Fire();
    }

    private sealed class Timer(HeldTimers owner, Action fire) : ITimer
    {
        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (owner._set)
            {
                owner._set.Remove(this);
                if (dueTime != Timeout.InfiniteTimeSpan) owner._set.Add(this);
            }

            return true;
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
