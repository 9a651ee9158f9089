namespace Resilience.Experiments;

/// <summary>failsafe-go's adaptive limiter: an estimated queue as Vegas, over averages that follow what they should be compared with, and correlations of the
/// last fifty windows.</summary>
internal sealed class FailsafeLimit(EventWorld world) : PortedLimit(world, minSamples: 50)
{
    private readonly Rules _rules = new();

    private protected override bool ForgetsFew => false;

    private protected override double Next() => _rules.Next(Limit, Quantile(0.9), PeakRunning, IsFull);

    internal sealed class Rules
    {
        private const int Windows = 50;
        private const int FewWindows = 10;
        private readonly List<double> _lastFive = [];
        private readonly List<(double Running, double Latency, double Throughput)> _past = [];
        private readonly Average _recent = new(5), _baseline = new(10);

        internal double Next(double limit, double latency, int running, bool isFull)
        {
            _lastFive.Add(latency);
            if (_lastFive.Count > 5) _lastFive.RemoveAt(0);
            double recent = _recent.Add(_lastFive.Order().ElementAt(_lastFive.Count / 2)), baseline = _baseline.Add(recent);
            _past.Add((running, recent, running / recent));
            if (_past.Count > Windows) _past.RemoveAt(0);
            return Next(limit, baseline, recent, running, isFull);
        }

        /// <summary>What follows from averages that are known.</summary>
        internal double Next(double limit, double baseline, double recent, int running, bool isFull)
        {
            double step = Math.Max(1, Math.Log10(limit));
            int queue = (int)Math.Ceiling(limit * (1 - (baseline / recent)));
            double next = queue > 6 * step || (isFull && IsTooMuch()) ? limit - step : queue < 3 * step ? limit + step : limit;
            double most = 5.0 * running;
            if (next > most) next = limit > most ? limit - step : most;
            return Math.Clamp(next, 1, 1000);
        }

        private bool IsTooMuch()
        {
            if (_past.Count < FewWindows) return false;
            double ofThroughput = Correlation(p => p.Throughput), ofLatency = Correlation(p => p.Latency);
            double mean = _past.Average(p => p.Throughput);
            double variation = Math.Sqrt(_past.Average(p => Math.Pow(p.Throughput - mean, 2))) / mean;
            return ofThroughput < 0 || (ofThroughput < 0.3 && ofLatency > 0.5) || (variation < 0.2 && ofLatency > 0.5);
        }

        private double Correlation(Func<(double Running, double Latency, double Throughput), double> of)
        {
            double meanX = _past.Average(p => p.Running), meanY = _past.Average(of), xy = 0, xx = 0, yy = 0;
            foreach ((double Running, double Latency, double Throughput) window in _past)
            {
                double x = window.Running - meanX, y = of(window) - meanY;
                (xy, xx, yy) = (xy + (x * y), xx + (x * x), yy + (y * y));
            }

            return xx <= 0 || yy <= 0 ? 0 : xy / Math.Sqrt(xx * yy);
        }
    }

    /// <summary>An exponential average that begins as a plain one.</summary>
    private sealed class Average(int age)
    {
        private const int WarmUp = 10;
        private double _value;
        private int _seen;

        internal double Add(double value)
        {
            double weight = ++_seen <= WarmUp ? 1.0 / _seen : 2.0 / (age + 1);
            return _value += weight * (value - _value);
        }
    }
}
