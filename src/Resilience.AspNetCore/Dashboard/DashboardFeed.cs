using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Resilience.Events;

namespace Resilience;

/// <summary>Lets viewers in and out. The first one starts a session, the last one ends it. What is measured and what was rejected is kept between sessions,
/// unless <see cref="ResilienceDashboardOptions.KeepHistory"/> is off.</summary>
internal sealed class DashboardFeed(
    DashboardReader reader,
    DashboardRecent recent,
    ResilienceEvents events,
    IMeterFactory? meters,
    DashboardHead head,
    ResilienceDashboardOptions options,
    TimeProvider time,
    ILogger logger) : IDisposable
{
    private readonly Lock _gate = new(); // guards what is below: taken when a viewer comes or goes
    private readonly List<DashboardViewer> _viewers = [];
    private DashboardSession? _session;
    private DashboardHistory? _history; // null: nothing is measured, and nothing gathered
    private IDisposable? _gathering;
    private bool _isClosed;

    internal DashboardReader Reader => reader;

    /// <summary>The host has started: from now on calls are measured, whether or not there is a viewer.</summary>
    internal void Begin()
    {
        lock (_gate)
        {
            if (options.KeepHistory && !_isClosed) Measure();
        }
    }

    /// <summary>The session that runs; null while there is no viewer.</summary>
    internal DashboardSession? Session
    {
        get
        {
            lock (_gate) return _session;
        }
    }

    /// <summary>A viewer that hears everything from now on; null when there are too many. The caller who gets one calls <see cref="Leave"/>.</summary>
    /// <param name="client">Whose view it is.</param>
    /// <param name="mayAct">Whether actions are shown.</param>
    /// <param name="isClientsOwn">Whether it is this client who has too many.</param>
    internal DashboardViewer? TryJoin(string client, bool mayAct, out bool isClientsOwn)
    {
        DashboardViewer viewer = new(client, mayAct);
        lock (_gate)
        {
            isClientsOwn = _viewers.Count(v => v.Client == client) >= options.MaxViewersPerClient;
            if (_isClosed || isClientsOwn || _viewers.Count >= options.MaxViewers) return null;
            _viewers.Add(viewer);
            _session ??= new(this, reader, recent, events, Measure(), head, time, logger);
            _session.Hurry();
        }

        return viewer;
    }

    internal void Leave(DashboardViewer viewer)
    {
        lock (_gate)
        {
            if (!_viewers.Remove(viewer) || _viewers.Count > 0) return;
            _session?.Dispose();
            _session = null;
            if (!options.KeepHistory) Forget();
        }
    }

    /// <summary>From now on calls are measured. Their rejections are counted thereby, so they are events already: hearing them makes none.</summary>
    /// <remarks>Under the lock.</remarks>
    private DashboardHistory Measure()
    {
        if (_history is not null) return _history;
        _history = new(meters, options.Interval, time);
        _history.Advanced += recent.Flush;
        _gathering = events.SubscribePassively(recent.Gather);
        return _history;
    }

    private void Forget()
    {
        _gathering?.Dispose();
        _gathering = null;
        _history?.Dispose();
        _history = null;
        recent.Forget();
    }

    /// <summary>A single reading, for those who ask for one.</summary>
    internal DashboardAll ReadOnce()
    {
        DashboardHistory? history;
        lock (_gate) history = _history;
        (IReadOnlyList<DashboardReader.Reading> shown, int hidden) = reader.Read(history?.Meters.Counts());
        MeasuredNow measured = history?.Read(shown.Select(r => r.Layout.Series), withPoints: true) ?? new(0, new Dictionary<string, SeriesNow>());
        PipelineNow[] now = [.. shown.Select(r => new PipelineNow(r.Layout.Id, null, measured.Series.GetValueOrDefault(r.Layout.Series)?.Times, r.Now))];
        recent.Flush();
        DashboardLayout layout = head.Layout(0, history?.Since, [.. shown.Select(r => r.Layout)], hidden);
        return new(layout, measured.Past(layout), new(0, measured.Tick, time.GetUtcNow(), Viewers.Count, now, recent.Since(0)), false);
    }

    /// <summary>There will be no viewer, or the host has stopped.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            _session?.Dispose();
            _session = null;
            Forget();
        }
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
    internal DashboardLayout Layout(long version, DateTimeOffset? measuredSince, IReadOnlyList<PipelineLayout> pipelines, int hidden) =>
        new(version, Title, Environment, Started, measuredSince, (long)Interval.TotalMilliseconds, pipelines, hidden);
}
