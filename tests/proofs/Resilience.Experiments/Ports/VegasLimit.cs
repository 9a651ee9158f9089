namespace Resilience.Experiments;

/// <summary>Netflix concurrency-limits, Vegas: estimates its queue from the least latency, which it forgets now and then.</summary>
internal sealed class VegasLimit(EventWorld world, Chance chance) : PortedLimit(world, minSamples: 10)
{
    private readonly Rules _rules = new(chance);

    private protected override double Next() => _rules.Next(Limit, Mean, PeakRunning);

    internal sealed class Rules(Chance chance, double max = 1000)
    {
        private double _least;
        private double _share = 0.75;
        private int _windows;

        internal double Next(double limit, double latency, int running)
        {
            if (++_windows >= _share * 30 * limit)
            {
                (_windows, _share, _least) = (0, 0.5 + (0.5 * chance.NextDouble()), latency);
                return limit;
            }

            if (_least == 0 || latency < _least)
            {
                _least = latency;
                return limit;
            }

            if (running * 2 < limit) return limit;
            double step = Math.Max(1, Math.Floor(Math.Log10(limit)));
            int queue = (int)Math.Ceiling(limit * (1 - (_least / latency)));
            double next = queue <= step ? limit + (6 * step) : queue < 3 * step ? limit + step : queue > 6 * step ? limit - step : limit;
            return Math.Clamp(next, 1, max);
        }
    }
}
