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

    public void Dispose()
    {
        _timer.Dispose();
        Meters.Dispose();
    }

    private void Advance()
    {
        lock (_gate)
        {
            Meters.CloseInterval();
            _tick++;
        }

        Advanced?.Invoke();
    }
}
