namespace Resilience.Verification.Coyote;

/// <summary>Time that moves when a scenario says so, in milliseconds. Moving it is a step that the scheduler can come before.</summary>
internal sealed class ScenarioClock : TimeProvider
{
    private long _nowMs = 1_000_000;

    public override long TimestampFrequency => 1000;

    // A plain read, on purpose: the clock is looked at so often that a step for each look would multiply the schedules,
    // and a look in the step before is a look at a slower clock, which the breaker must bear anyway.
    public override long GetTimestamp() => _nowMs;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddMilliseconds(_nowMs);

    internal void Advance(long ms) => Interlocked.Add(ref _nowMs, ms);
}
