namespace Resilience;

/// <summary>What is measured of one pipeline: the interval that runs, and the ones before. Recorded without a lock; everything else is
/// done by the one reader.</summary>
internal sealed class DashboardSeries
{
    /// <summary>How many intervals are kept.</summary>
    internal const int Kept = 300;

    private readonly LatencySketch _times = new();
    private readonly Queue<ChartPoint> _points = new(Kept);
    private int _calls;
    private int _failures;
    private int _rejections;
    private int _retries;

    internal void Call(double seconds, string? verdict)
    {
        Interlocked.Increment(ref _calls);
        if (verdict == "failure") Interlocked.Increment(ref _failures);
        if (verdict == "rejected") Interlocked.Increment(ref _rejections);
        else _times.Record(seconds); // a refusal takes no time, and would make a bad day look fast
    }

    internal void Retry(long count) => Interlocked.Add(ref _retries, (int)count);

    /// <summary>Closes the interval.</summary>
    internal ChartPoint Next()
    {
        (double? p50, double? p95) = _times.Take();
        ChartPoint point = new(
            Interlocked.Exchange(ref _calls, 0),
            Interlocked.Exchange(ref _failures, 0),
            Interlocked.Exchange(ref _rejections, 0),
            Interlocked.Exchange(ref _retries, 0),
            Rounded(p50),
            Rounded(p95));
        if (_points.Count == Kept) _points.Dequeue();
        _points.Enqueue(point);
        return point;

        static double? Rounded(double? ms) => ms is { } known ? Math.Round(known, known < 10 ? 2 : 1) : null;
    }

    internal IReadOnlyList<ChartPoint> Points => [.. _points];
}
