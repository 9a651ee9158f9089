namespace Resilience.Tests;

/// <summary>A clock that moves when told: cheaper than FakeTimeProvider, its wall clock can jump apart from the monotonic one, it counts as often in a
/// second as the test likes, and it can go back, or throw. Its timers are those of the machine.</summary>
internal sealed class ManualTime(long frequency = TimeSpan.TicksPerSecond) : TimeProvider
{
    internal static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private long _wallOffset;

    /// <summary>What the timestamp is. Set it to any value, also to one before the last.</summary>
    public long Timestamp;

    /// <summary>What the clock throws when it is read, if anything.</summary>
    public Exception? Error { get; set; }

    public override long TimestampFrequency => frequency;

    public override long GetTimestamp() => Error is { } error ? throw error : Volatile.Read(ref Timestamp);

    public override DateTimeOffset GetUtcNow() => Start.AddTicks(Volatile.Read(ref Timestamp) + Volatile.Read(ref _wallOffset));

    public void Advance(TimeSpan span) => Interlocked.Add(ref Timestamp, span.Ticks);

    /// <summary>The wall clock is set; the monotonic one knows nothing of it.</summary>
    public void StepWallClock(TimeSpan span) => Interlocked.Add(ref _wallOffset, span.Ticks);
}
