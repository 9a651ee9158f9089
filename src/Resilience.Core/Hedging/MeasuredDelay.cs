namespace Resilience;

/// <summary>The delay of a hedging that follows a quantile of what first attempts take. Lock-free; nothing is allocated after it is made.</summary>
/// <remarks>
/// What is counted decides whether it is stable, because hedging changes what it measures:
/// <code>
/// a first attempt that                         is counted as
/// was answered                                 the time it took
/// lost to a hedge, or was cut, after the delay the time until then, at least the delay: too little, but on the right side of the delay
/// failed, or was cut, before the delay         nothing: an error within a millisecond is not a fast answer
/// a hedge                                      nothing: it was sent because another was slow
/// </code>
/// The share of attempts above the delay is therefore exact however many were hedged, and the quantile is the value at which that share is as asked.
/// </remarks>
internal sealed class MeasuredDelay
{
    internal static readonly TimeSpan Window = TimeSpan.FromSeconds(30);
    private const long AgeMs = 1000;

    private readonly double _quantile;
    private readonly long _minMs;
    private readonly long _maxMs;
    private readonly long _otherwiseMs;
    private readonly int _minSamples;
    private readonly Clock _clock;
    private long _untilMs = long.MinValue; // how long the answer below is good; who moves it computes the next
    private long _delayMs;

    /// <param name="options">Options with a quantile.</param>
    /// <param name="clock">The clock of the policy.</param>
    /// <param name="latencies">What the policy of this name has counted before an update; null: nothing.</param>
    internal MeasuredDelay(HedgingOptions options, Clock clock, RotatingHistogram? latencies)
    {
        _quantile = options.DelayQuantile!.Value;
        _minMs = Clock.ToMs(options.MinDelay);
        _maxMs = Clock.ToMs(options.MaxDelay ?? options.Delay);
        _otherwiseMs = Clock.ToMs(options.Delay);
        _minSamples = options.MinSamples;
        _clock = clock;
        _delayMs = _otherwiseMs;
        Latencies = latencies ?? new(Window, clock.NowMs);
    }

    /// <summary>What was counted, which an update hands on.</summary>
    internal RotatingHistogram Latencies { get; }

    /// <summary>The delay of this moment, not older than a second.</summary>
    internal long Ms
    {
        get
        {
            long nowMs = _clock.NowMs, untilMs = Volatile.Read(ref _untilMs);

            // Full fence: one thread computes. Those that come meanwhile take the former answer, which is a second old at most when it is replaced.
            if (nowMs >= untilMs && Interlocked.CompareExchange(ref _untilMs, nowMs + AgeMs, untilMs) == untilMs)
                Volatile.Write(ref _delayMs, Compute(nowMs)); // release: a word of its own, with which nothing else must agree
            return Volatile.Read(ref _delayMs); // acquire: the latest that was written
        }
    }

    /// <summary>A first attempt was answered.</summary>
    internal void Answered(TimeSpan took) => Latencies.Record(took.Ticks, _clock.NowMs);

    /// <summary>A first attempt has lost, failed or was cut, and would have taken longer.</summary>
    internal void Cut(TimeSpan after, long delayMs)
    {
        if (after.Ticks >= TicksOf(delayMs)) Latencies.Record(after.Ticks, _clock.NowMs);
    }

    /// <summary>A first attempt has lost to the hedge that was started because it was slow.</summary>
    internal void Lost(TimeSpan after, long delayMs) => Latencies.Record(Math.Max(after.Ticks, TicksOf(delayMs)), _clock.NowMs);

    private static long TicksOf(long ms) => ms >= long.MaxValue / TimeSpan.TicksPerMillisecond ? long.MaxValue : ms * TimeSpan.TicksPerMillisecond;

    private long Compute(long nowMs)
    {
        if (Latencies.Count(nowMs) < _minSamples) return _otherwiseMs;
        double ticks = Latencies.Quantile(_quantile, nowMs);
        return Math.Clamp((long)Math.Ceiling(ticks / TimeSpan.TicksPerMillisecond), _minMs, _maxMs);
    }
}
