namespace Resilience.Overload;

/// <summary>One of the places at which a service is reached, and what its calls have shown. Thread-safe and lock-free.</summary>
public sealed class TargetEndpoint
{
    private readonly EndpointClock _clock;
    private long _cost; // a PeakEwma
    private long _health; // an EndpointHealth
    private long _counts; // | ended (32 bits) | failed (32 bits) | of this interval
    private long _latencies; // | sum of ms (40 bits) | how many (24 bits) | of this interval
    private int _pending;
    private int _consecutive;
    private int _isFailing; // 1: it would be left out, but too many are

    internal TargetEndpoint(Uri address, EndpointClock clock)
    {
        Address = address;
        _clock = clock;
    }

    /// <summary>Where it is.</summary>
    public Uri Address { get; }

    /// <summary>Calls that are under way.</summary>
    public int Pending => Volatile.Read(ref _pending);

    /// <summary>Whether it is left out now, or gets one call at a time to see whether it has recovered.</summary>
    public bool IsEjected => Health.IsOut;

    /// <summary>The latency that is expected, in ms, times the calls under way and one more; 0 where nothing is known yet, and infinite where nothing is
    /// known and calls are under way.</summary>
    public double Load
    {
        get
        {
            int pending = Pending;
            return PeakEwma.Read(Volatile.Read(ref _cost), _clock.NowMs, _clock.DecayMs) is { } cost ? cost * (pending + 1)
                : pending == 0 ? 0 : double.PositiveInfinity;
        }
    }

    /// <summary>The latency that is expected, in ms; null where nothing is known.</summary>
    internal double? CostMs => PeakEwma.Read(Volatile.Read(ref _cost), _clock.NowMs, _clock.DecayMs);

    internal EndpointHealth Health => new(Volatile.Read(ref _health)); // acquire: pairs with the compare-and-swap in TryChange

    internal bool IsFailing
    {
        get => Volatile.Read(ref _isFailing) != 0;
        set => Volatile.Write(ref _isFailing, value ? 1 : 0); // release: a flag of its own; the sweep that comes next sees it
    }

    /// <summary>For the sweep alone: in how many intervals running it was slow.</summary>
    internal int SlowIntervals { get; set; }

    /// <summary>Puts another health in the place of the one that was read. False: another thread was first.</summary>
    internal bool TryChange(EndpointHealth seen, EndpointHealth next) =>
        Interlocked.CompareExchange(ref _health, next.Word, seen.Word) == seen.Word; // full fence: one of those that saw the same word goes on

    internal void Begin() => Interlocked.Increment(ref _pending);

    internal void End() => Interlocked.Decrement(ref _pending);

    /// <summary>Counts an answer.</summary>
    internal void Answered(double ms)
    {
        Observe(ms, isExact: true);
        Interlocked.Add(ref _counts, 1L << 32);
        Interlocked.Add(ref _latencies, ((long)Math.Min(ms, 1L << 32) << 24) | 1);
        if (Volatile.Read(ref _consecutive) != 0) Volatile.Write(ref _consecutive, 0); // a failure that is counted at this moment may be lost: one of several
    }

    /// <summary>Counts a failure. Returns how many there have been in a row.</summary>
    internal int Failed(double costMs)
    {
        Observe(costMs, isExact: true);
        Interlocked.Add(ref _counts, (1L << 32) | 1);
        return Interlocked.Increment(ref _consecutive);
    }

    /// <summary>Takes a latency into the average, or that it was at least this long.</summary>
    internal void Observe(double ms, bool isExact)
    {
        (long nowMs, double decayMs) = (_clock.NowMs, _clock.DecayMs);
        long seen = Volatile.Read(ref _cost);
        while (true)
        {
            long next = isExact ? PeakEwma.Observe(seen, ms, nowMs, decayMs) : PeakEwma.ObserveAtLeast(seen, ms, nowMs, decayMs);
            long found = Interlocked.CompareExchange(ref _cost, next, seen); // full fence; the word is the whole state
            if (found == seen) return;
            seen = found;
        }
    }

    /// <summary>It begins anew: failures in a row are those from now on.</summary>
    internal void ForgetFailures()
    {
        Volatile.Write(ref _consecutive, 0);
        IsFailing = false;
    }

    internal int Consecutive => Volatile.Read(ref _consecutive);

    /// <summary>What was counted in the interval that ends now. Taken and not reset, so that no count is lost or taken twice.</summary>
    internal EndpointInterval TakeInterval()
    {
        long counts = Interlocked.Exchange(ref _counts, 0), latencies = Interlocked.Exchange(ref _latencies, 0);
        int answers = (int)(latencies & 0xFFFFFF);
        return new((int)(counts >>> 32), (int)(counts & uint.MaxValue), answers == 0 ? null : (double)(latencies >>> 24) / answers, answers);
    }

    /// <inheritdoc/>
    public override string ToString() => Address.ToString();
}
