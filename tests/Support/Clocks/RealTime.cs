namespace Resilience.Tests;

/// <summary>The machine's clock, which can skip a while, and whose periodic timers can be left out.</summary>
internal sealed class RealTime : TimeProvider
{
    private long _skipped;

    /// <summary>False: what is done periodically is not done by itself.</summary>
    public bool HasPeriodicTimers { get; init; } = true;

    public void Skip(TimeSpan span) => Interlocked.Add(ref _skipped, (long)(span.TotalSeconds * TimestampFrequency));

    public override long GetTimestamp() => base.GetTimestamp() + Interlocked.Read(ref _skipped);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        HasPeriodicTimers || period == Timeout.InfiniteTimeSpan
        ? base.CreateTimer(callback, state, dueTime, period)
        : base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
}
