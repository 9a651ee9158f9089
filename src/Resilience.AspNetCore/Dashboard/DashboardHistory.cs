using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>What was measured in the last five minutes (300 intervals), whether or not there is a viewer. Bounded: see <see cref="DashboardMeters"/>.</summary>
internal sealed class DashboardHistory : IDisposable
{
    private readonly ITimer _timer;
    private readonly Lock _gate = new(); // a timer that is late may ring twice at once
    private long _tick;

    internal DashboardHistory(IMeterFactory? meters, TimeSpan interval, TimeProvider time)
    {
        Meters = new(meters, interval);
        Since = time.GetUtcNow();
        _timer = time.CreateTimer(static s => ((DashboardHistory)s!).Advance(), this, interval, interval);
    }

    /// <summary>An interval has ended. Raised on the timer's thread.</summary>
    internal event Action? Advanced;

    /// <summary>Since when everything is counted.</summary>
    internal DateTimeOffset Since { get; }

    internal DashboardMeters Meters { get; }

    /// <summary>The number of intervals that have ended.</summary>
    internal long Tick
    {
        get
        {
            lock (_gate) return _tick;
        }
    }

    /// <summary>What was measured of these series, all of it at one moment: no interval ends between one and the next, nor between the times and the
    /// points.</summary>
    /// <param name="names">The names of the series.</param>
    /// <param name="withPoints">Whether the past of the charts is wanted too.</param>
    internal MeasuredNow Read(IEnumerable<string> names, bool withPoints)
    {
        Dictionary<string, SeriesNow> read = new(StringComparer.Ordinal);
        lock (_gate)
        {
            foreach (string name in names)
            {
                if (Meters.Series(name) is not { } series) continue;
                read[name] = new(series.Last, series.Times(), withPoints ? series.Points : null);
            }

            return new(_tick, read);
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        Meters.Dispose();
    }

    internal void Advance()
    {
        lock (_gate)
        {
            Meters.CloseInterval();
            _tick++;
        }

        Advanced?.Invoke();
    }
}

/// <summary>What was measured, at one moment.</summary>
/// <param name="Tick">The number of intervals that had ended.</param>
/// <param name="Series">What was measured of each pipeline; those of which nothing was are not in it.</param>
internal sealed record MeasuredNow(long Tick, IReadOnlyDictionary<string, SeriesNow> Series)
{
    /// <summary>The charts' past.</summary>
    internal IReadOnlyList<ChartHistory> Past(DashboardLayout layout) =>
    [
        .. from pipeline in layout.Pipelines
           let points = Series.GetValueOrDefault(pipeline.Series)?.Points
           where points is not null
           select new ChartHistory(pipeline.Id, Tick, points),
    ];
}

/// <summary>What was measured of one pipeline.</summary>
/// <param name="Last">The interval that ended last.</param>
/// <param name="Times">How long calls took.</param>
/// <param name="Points">The intervals that are kept, oldest first; null when they were not asked for.</param>
internal sealed record SeriesNow(ChartPoint? Last, LatencyNow Times, IReadOnlyList<ChartPoint>? Points);
