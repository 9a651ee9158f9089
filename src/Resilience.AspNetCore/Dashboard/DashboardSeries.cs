namespace Resilience;

/// <summary>What is measured of one pipeline: the interval that runs, and the ones before. Calls record without a lock; everything else is done
/// by the one timer, under a lock that a reader takes a few times a second.</summary>
/// <remarks>300 points and 31 sketches: 23 kB, which a test measures.</remarks>
internal sealed class DashboardSeries(TimeSpan interval)
{
    /// <summary>How many intervals are kept.</summary>
    internal const int Kept = 300;

    /// <summary>Percentiles over a minute and over five are put together from parts of ten seconds.</summary>
    private const int PartSeconds = 10, PartsOfAMinute = 6, Parts = 30;

    private readonly int _intervalsOfAPart = Math.Max(1, (int)(PartSeconds / interval.TotalSeconds));
    private readonly LatencySketch _times = new();
    private readonly ChartPoint[] _points = new ChartPoint[Kept];
    private readonly LatencySketch?[] _parts = new LatencySketch?[Parts];
    private readonly Lock _gate = new();
    private int _closed; // intervals, those that are forgotten included
    private int _quiet; // intervals in a row in which nothing was measured
    private int _calls;
    private int _failures;
    private int _rejections;
    private int _retries;

    internal void Call(double seconds, string? verdict)
    {
        Interlocked.Increment(ref _calls);
        if (verdict == "failure") Interlocked.Increment(ref _failures);
        if (verdict == "rejected") Interlocked.Increment(ref _rejections);
        else _times.Record(seconds); // a rejection takes no time, and would make a bad day look fast
    }

    internal void Retry(long count) => Interlocked.Add(ref _retries, (int)count);

    /// <summary>True when nothing was measured for as long as is kept.</summary>
    internal bool IsForgotten
    {
        get
        {
            lock (_gate) return _quiet >= Kept;
        }
    }

    /// <summary>Closes the interval.</summary>
    internal void Close()
    {
        LatencySketch? times = _times.Take();
        LatencyQuantiles? quantiles = times?.Quantiles();
        ChartPoint point = new(
            Interlocked.Exchange(ref _calls, 0),
            Interlocked.Exchange(ref _failures, 0),
            Interlocked.Exchange(ref _rejections, 0),
            Interlocked.Exchange(ref _retries, 0),
            quantiles?.P50,
            quantiles?.P95);
        lock (_gate)
        {
            _points[_closed % Kept] = point;
            int part = _closed / _intervalsOfAPart % Parts;
            if (_closed % _intervalsOfAPart == 0) _parts[part]?.Clear();
            if (times is not null) (_parts[part] ??= new()).Add(times);
            _quiet = point == default ? _quiet + 1 : 0;
            _closed++;
        }
    }

    /// <summary>The interval that was closed last.</summary>
    internal ChartPoint? Last
    {
        get
        {
            lock (_gate) return _closed == 0 ? null : _points[(_closed - 1) % Kept];
        }
    }

    /// <summary>The intervals that are kept, oldest first.</summary>
    internal IReadOnlyList<ChartPoint> Points
    {
        get
        {
            lock (_gate)
            {
                int count = Math.Min(_closed, Kept);
                ChartPoint[] points = new ChartPoint[count];
                for (int i = 0; i < count; i++) points[i] = _points[(_closed - count + i) % Kept];
                return points;
            }
        }
    }

    /// <summary>How long calls took in the last minute and in the last five, each to within ten seconds. Null where none ended.</summary>
    internal LatencyNow Times()
    {
        lock (_gate)
        {
            LatencySketch sum = new();
            LatencyQuantiles? minute = null;
            int current = Math.Max(0, _closed - 1) / _intervalsOfAPart;
            for (int back = 0; back < Parts && back <= current; back++)
            {
                sum.Add(_parts[(current - back) % Parts]);
                if (back < PartsOfAMinute) minute = sum.Quantiles();
            }

            return new(minute, sum.Quantiles());
        }
    }
}
