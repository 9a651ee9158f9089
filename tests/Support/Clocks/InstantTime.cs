namespace Resilience.Tests;

/// <summary>A clock with which nothing is waited for: a timer fires at once, on another thread, and its time has passed.</summary>
internal sealed class InstantTime : TimeProvider
{
    private long _ticks;

    /// <summary>Timers of a longer time never fire: bounds, which a test does not want to reach.</summary>
    public TimeSpan MaxWait { get; init; } = TimeSpan.MaxValue;

    /// <summary>Whether time stands still while waits end.</summary>
    public bool StandsStill { get; init; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(GetTimestamp());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Timer timer = new(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private void Pass(TimeSpan span)
    {
        if (!StandsStill) Interlocked.Add(ref _ticks, span.Ticks);
    }

    private sealed class Timer(InstantTime time, TimerCallback callback, object? state) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime < TimeSpan.Zero || dueTime > time.MaxWait) return true;
            ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    time.Pass(dueTime);
                    callback(state);
                },
                null);
            return true;
        }

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => default;
    }
}
