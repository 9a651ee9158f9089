namespace Resilience.Extensibility;

/// <summary>The receipt for one admitted call. Give it back exactly once, with <see cref="CircuitBreaker.Exit(CircuitPermit, Verdict)"/>.</summary>
/// <remarks>
/// It names the epoch of the circuit in which it was given; in any later epoch it counts for nothing, so a late result cannot fool
/// the breaker. <c>default</c> is a receipt of no epoch: always <see cref="CircuitExit.Stale"/>.
/// </remarks>
public readonly struct CircuitPermit
{
    private const int TimeBits = 44;
    private const long PackedObserver = -2;

    internal readonly CircuitEpoch? CircuitEpoch;
    internal readonly bool IsObserver; // admitted in dry run only

    // -1: the breaker does not look at durations. Otherwise the time of the beginning (44 bits), and above it the number of the ring that
    // counts the call while it is under way (CallsInFlight, 15 bits): in one word, because every call carries a permit.
    private readonly long _started;

    internal CircuitPermit(CircuitEpoch epoch, long startedMs = -1, int ringNumber = 0)
    {
        CircuitEpoch = epoch;
        _started = startedMs | ((long)ringNumber << TimeBits);
    }

    private CircuitPermit(CircuitEpoch epoch, bool isObserver)
    {
        CircuitEpoch = epoch;
        IsObserver = isObserver;
        _started = -1;
    }

    private CircuitPermit(CircuitEpoch? epoch, long started)
    {
        CircuitEpoch = epoch;
        _started = started;
    }

    internal static CircuitPermit OfObserver(CircuitEpoch epoch) => new(epoch, isObserver: true);

    /// <summary>All but the epoch in one word, for a call that is away.</summary>
    internal long Packed => IsObserver ? PackedObserver : _started;

    internal static CircuitPermit Unpack(CircuitEpoch? epoch, long packed) =>
        packed == PackedObserver && epoch is not null ? OfObserver(epoch) : new(epoch, packed);

    internal long StartedMs => _started < 0 ? -1 : _started & ((1L << TimeBits) - 1);

    internal int RingNumber => (int)(_started >> TimeBits);

    /// <summary>The number of the epoch: grows by one with each change of state. 0 for <c>default</c>.</summary>
    public long Epoch => CircuitEpoch?.Epoch ?? 0;
}
