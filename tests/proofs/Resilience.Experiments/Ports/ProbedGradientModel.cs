namespace Resilience.Experiments;

/// <summary>What is wrong with a <see cref="ProbedGradientModel"/>: each fault must fail a bar, or the bars prove nothing.</summary>
internal sealed record ModelFaults
{
    /// <summary>Times the tolerance of 1.5 it should be less than 1.</summary>
    internal double ProbeFraction { get; init; } = 0.5;

    /// <summary>Calls that began before a probe are samples of it.</summary>
    internal bool IgnoresEpochs { get; init; }

    /// <summary>A probe ends with its hundredth sample, however short it was.</summary>
    internal bool ProbesByCount { get; init; }

    /// <summary>The baseline is the least latency ever seen, of a window with any number of samples.</summary>
    internal bool TakesLeastLatency { get; init; }
}

/// <summary>A plain model of our own limit by latency, written from the design and not from the engine: the engine is compared with it, and faults are planted
/// in it, which the options of the engine do not allow.</summary>
internal sealed class ProbedGradientModel(EventWorld world, Chance chance, ModelFaults faults) : PortedLimit(world, faults.TakesLeastLatency ? 1 : 20)
{
    private const double Tolerance = 1.5;
    private const double Interval = 30;
    private double _baseline, _saved, _probeAfter = Interval * (0.85 + (0.3 * chance.NextDouble()));
    private double _lastProbe, _probeBegan;
    private int _below;
    private bool _isProbing, _isSlowStart = true;

    private protected override bool ForgetsFew => false;

    private protected override bool Counts(long epoch) => faults.IgnoresEpochs || IsOfThisEpoch(epoch);

    private protected override bool TryEndOtherwise()
    {
        if (!_isProbing) return false;
        double lasted = World.Seconds - _probeBegan;
        bool isMeasured = (Samples >= 100 && (faults.ProbesByCount || lasted >= Math.Max(0.25, 4 * _baseline / 1000))) || (Samples >= 10 && lasted >= 3);
        if (!isMeasured && lasted < 10) return true;
        double former = _baseline;
        if (isMeasured) (_baseline, _below) = (Quantile(0.5), 0);
        (_isProbing, _lastProbe) = (false, World.Seconds);
        _probeAfter = _baseline < 0.8 * former ? 5 : Interval * (0.85 + (0.3 * chance.NextDouble()));
        Set(_saved);
        BeginEpoch();
        Clear();
        return true;
    }

    private protected override double Next()
    {
        double latency = Quantile(0.5), limit = Limit;
        if (_baseline == 0) _baseline = latency;
        if (faults.TakesLeastLatency)
        {
            _baseline = Math.Min(_baseline, latency);
        }
        else if (PeakRunning < limit / 2 && Rejected == 0)
        {
            _baseline += 0.1 * (latency - _baseline);
            _below = 0;
            return limit > 20 && limit > 5 * PeakRunning ? Math.Max(20, limit - Math.Max(1, 0.05 * limit)) : limit;
        }

        if (latency < _baseline) _baseline += 0.1 * (latency - _baseline);
        double gradient = Math.Clamp(Tolerance * _baseline / latency, 0.5, 1);
        if (gradient < 1)
        {
            _isSlowStart = false;
            _below++;
            limit = (0.5 * limit) + (0.5 * gradient * limit);
        }
        else
        {
            _below = 0;
            if (Rejected > 0 || PeakRunning >= 0.8 * limit) limit = _isSlowStart ? 2 * limit : limit + Math.Max(1, Math.Sqrt(limit));
        }

        limit = Math.Clamp(limit, 4, 1000);
        double since = World.Seconds - _lastProbe;
        bool isDue = (Rejected > 0.01 * (Samples + Rejected) && since >= _probeAfter) || (_below >= 5 && since >= 5);
        if (!isDue || faults.TakesLeastLatency) return limit;
        (_isProbing, _saved, _probeBegan) = (true, limit, World.Seconds);
        BeginEpoch();
        return Math.Max(4, Math.Floor(faults.ProbeFraction * Math.Min(limit, PeakRunning)));
    }
}
