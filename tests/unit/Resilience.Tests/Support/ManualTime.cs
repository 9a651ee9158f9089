namespace Resilience.Tests;

/// <summary>A clock that moves when told: cheaper than FakeTimeProvider, and its wall clock can jump apart from the monotonic one.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _ticks;
    private long _wallOffset;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _ticks);

    public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddTicks(Volatile.Read(ref _ticks) + Volatile.Read(ref _wallOffset));

    public void Advance(TimeSpan span) => Interlocked.Add(ref _ticks, span.Ticks);

    /// <summary>The wall clock is set; the monotonic one knows nothing of it.</summary>
    public void StepWallClock(TimeSpan span) => Interlocked.Add(ref _wallOffset, span.Ticks);
}
