namespace Resilience.Experiments;

/// <summary>Netflix concurrency-limits, Gradient2: a long average of latency as the baseline, and four more at every step.</summary>
internal sealed class Gradient2Limit(EventWorld world) : PortedLimit(world, minSamples: 10)
{
    private const int WarmUp = 10;
    private const double Weight = 2.0 / 601;
    private readonly Rules _rules = new();

    private protected override double Next() => _rules.Next(Limit, Mean, PeakRunning);

    internal sealed class Rules
    {
        private double _long, _sum;
        private int _seen;

        internal double Next(double limit, double latency, int running)
        {
            if (_seen < WarmUp)
            {
                _sum += latency;
                _long = _sum / ++_seen;
            }
            else
            {
                _long = (_long * (1 - Weight)) + (latency * Weight);
            }

            if (_long / latency > 2) _long *= 0.95;
            if (running < limit / 2) return limit;
            double gradient = Math.Clamp(1.5 * _long / latency, 0.5, 1);
            return Math.Clamp((0.8 * limit) + (0.2 * ((gradient * limit) + 4)), 20, 1000);
        }
    }
}
