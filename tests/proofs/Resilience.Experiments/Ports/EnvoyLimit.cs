namespace Resilience.Experiments;

/// <summary>Envoy's adaptive concurrency: a gradient against a least latency, which is measured anew every minute with the limit pinned to three.</summary>
internal sealed class EnvoyLimit : PortedLimit
{
    private const double Pinned = 3;
    private const int MinSamples = 50;
    private readonly Chance _chance;
    private double _least, _saved = Pinned;
    private long _nextMeasurement;
    private int _atMinimum;
    private bool _isMeasuring = true;

    internal EnvoyLimit(EventWorld world, Chance chance)
        : base(world, minSamples: 1)
    {
        _chance = chance;
        Set(Pinned);
    }

    /// <summary>The limit is a whole number.</summary>
    internal static double Next(double limit, double latency, double least)
    {
        double next = Math.Clamp(1.25 * least / latency, 0.5, 2) * limit;
        return Math.Clamp(Math.Floor(next + Math.Sqrt(next)), Pinned, 1000);
    }

    private protected override bool Counts(long epoch) => IsOfThisEpoch(epoch);

    private protected override bool TryEndOtherwise()
    {
        if (!_isMeasuring) return false;
        if (Samples < MinSamples) return true;
        _least = Quantile(0.5);
        _isMeasuring = false;
        _nextMeasurement = World.Now + (long)(60 * (1 + (0.15 * _chance.NextDouble())) * TimeSpan.TicksPerSecond);
        Set(_saved);
        BeginEpoch();
        Clear();
        return true;
    }

    private protected override double Next()
    {
        double next = Next(Limit, Quantile(0.5), _least);
        _atMinimum = next <= Pinned ? _atMinimum + 1 : 0;
        if (World.Now < _nextMeasurement && _atMinimum < 5) return next;
        (_isMeasuring, _saved, _atMinimum) = (true, next, 0);
        BeginEpoch();
        return Math.Min(next, Pinned);
    }
}
