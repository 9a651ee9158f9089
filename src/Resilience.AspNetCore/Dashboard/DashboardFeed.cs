using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>Lets viewers in and out. The first one starts a session, the last one ends it; without viewers nothing is listened to but the
/// rare changes of circuits.</summary>
internal sealed class DashboardFeed(
    DashboardReader reader,
    DashboardRecent recent,
    ResilienceEvents events,
    IMeterFactory? meters,
    DashboardHead head,
    ResilienceDashboardOptions options,
    TimeProvider time,
    ILogger logger)
{
    private readonly Lock _gate = new(); // guards the two below: taken when somebody comes or goes
    private readonly List<DashboardViewer> _viewers = [];
    private DashboardSession? _session;

    internal DashboardReader Reader => reader;

    /// <summary>The session that runs; null while nobody looks.</summary>
    internal DashboardSession? Session
    {
        get
        {
            lock (_gate) return _session;
        }
    }

    /// <summary>A viewer that hears everything from now on; null when there are too many. Whoever gets one calls <see cref="Leave"/>.</summary>
    internal DashboardViewer? TryJoin(bool mayAct)
    {
        DashboardViewer viewer = new(mayAct);
        lock (_gate)
        {
            if (_viewers.Count >= options.MaxViewers) return null;
            _viewers.Add(viewer);
            _session ??= new(this, reader, recent, events, meters, head, options.Interval, time, logger);
            _session.Hurry();
        }

        return viewer;
    }

    internal void Leave(DashboardViewer viewer)
    {
        lock (_gate)
        {
            if (!_viewers.Remove(viewer) || _viewers.Count > 0) return;
            _session!.Dispose();
            _session = null;
        }
    }

    /// <summary>A single reading, for those who ask for one: without charts, because they are measured only while somebody looks.</summary>
    internal DashboardAll ReadOnce()
    {
        (IReadOnlyList<DashboardReader.Reading> shown, int hidden) = reader.Read(null);
        PipelineNow[] now = [.. shown.Select(r => new PipelineNow(r.Layout.Id, null, r.Now))];
        return new(
            head.Layout(0, [.. shown.Select(r => r.Layout)], hidden), [], new(0, 0, time.GetUtcNow(), Viewers.Count, now, recent.Since(0)), false);
    }

    internal IReadOnlyList<DashboardViewer> Viewers
    {
        get
        {
            lock (_gate) return [.. _viewers];
        }
    }
}

/// <summary>What stands above everything.</summary>
internal sealed record DashboardHead(string Title, string Environment, DateTimeOffset Started, TimeSpan Interval)
{
    internal DashboardLayout Layout(long version, IReadOnlyList<PipelineLayout> pipelines, int hidden) =>
        new(version, Title, Environment, Started, (long)Interval.TotalMilliseconds, pipelines, hidden);
}
