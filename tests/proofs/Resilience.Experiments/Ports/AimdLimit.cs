namespace Resilience.Experiments;

/// <summary>Netflix concurrency-limits, AIMD: one more where half of it is used, a tenth less after a drop or a very slow window.</summary>
internal sealed class AimdLimit(EventWorld world) : PortedLimit(world, minSamples: 10)
{
    private const double SlowMs = 5000;

    private protected override double Next() => Next(Limit, Mean, PeakRunning, isDropped: false);

    internal static double Next(double limit, double latency, int running, bool isDropped)
    {
        double next = isDropped || latency > SlowMs ? Math.Floor(0.9 * limit) : 2 * running >= limit ? limit + 1 : limit;
        return Math.Clamp(next, 20, 1000);
    }
}
