namespace Resilience.Overload;

/// <summary>What time it is for the endpoints of a set: milliseconds since it was made, because their words have no room for more.</summary>
internal sealed class EndpointClock(Clock clock)
{
    private readonly long _beganMs = clock.NowMs;
    private double _decayMs = 10_000;

    internal long NowMs => Math.Max(0, clock.NowMs - _beganMs);

    internal long Timestamp => clock.Timestamp;

    internal double DecayMs
    {
        get => Volatile.Read(ref _decayMs);
        set => Volatile.Write(ref _decayMs, value); // a number of its own: what is computed by the former one is as good
    }

    internal double MsSince(long timestamp) => clock.ElapsedSince(timestamp).TotalMilliseconds;
}
