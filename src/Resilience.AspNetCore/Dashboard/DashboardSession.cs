using System.Diagnostics.Metrics;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>From the first viewer to the last: listens to meter and events, reads the state at a bounded rate and tells all viewers.</summary>
internal sealed class DashboardSession : IDisposable
{
    /// <summary>However much happens, the state is read at most so often.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(100);

    private readonly DashboardFeed _feed;
    private readonly DashboardReader _reader;
    private readonly DashboardRecent _recent;
    private readonly DashboardHead _head;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly DashboardMeters _meters;
    private readonly IDisposable _events;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _end = new();
    private readonly CancellationToken _ended;

    // One place: however often somebody hurries, the reader wakes once.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private bool _isTickDue;
    private long _tick;
    private long _told;
    private DashboardLayout? _layout;
    private byte[] _layoutText = [];

    internal DashboardSession(
        DashboardFeed feed,
        DashboardReader reader,
        DashboardRecent recent,
        ResilienceEvents events,
        IMeterFactory? meters,
        DashboardHead head,
        TimeSpan interval,
        TimeProvider time,
        ILogger logger)
    {
        (_feed, _reader, _recent, _head, _time, _logger) = (feed, reader, recent, head, time, logger);
        _told = recent.LastNumber;
        _ended = _end.Token;
        _meters = new(meters);
        _events = events.Subscribe(recent.Gather);
        recent.Changed += Hurry;
        _timer = time.CreateTimer(static s => ((DashboardSession)s!).Tick(), this, interval, interval);
        _ = Task.Run(RunAsync);
    }

    /// <summary>Something happened that shall be seen at once.</summary>
    internal void Hurry() => _wake.Writer.TryWrite(true);

    public void Dispose()
    {
        _recent.Changed -= Hurry;
        _timer.Dispose();
        _events.Dispose();
        _meters.Dispose();
        _recent.Forget();
        _end.Cancel();
        _end.Dispose();
    }

    private void Tick()
    {
        Volatile.Write(ref _isTickDue, true); // release: before the wake that it causes
        Hurry();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await _wake.Reader.ReadAsync(_ended).ConfigureAwait(false);
                Tell();
                await Task.Delay(Quiet, _time, _ended).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The last viewer has left.
        }
    }

    /// <summary>One reading for all. If it fails, the next one may not.</summary>
    private void Tell()
    {
        try
        {
            IReadOnlyList<DashboardViewer> viewers = _feed.Viewers;
            (DashboardState state, bool isNew) = Read(viewers.Count);
            DashboardMessage? layout = isNew ? Message("layout", _layout!) : null, now = null;
            foreach (DashboardViewer viewer in viewers)
            {
                if (viewer.NeedsAll) TellAll(viewer, state);
                else viewer.NeedsAll = (layout is not null && !viewer.TryTell(layout)) || !viewer.TryTell(now ??= Message("state", state));
            }
        }
        catch (Exception error)
        {
            DashboardLog.ReadingFailed(_logger, error);
        }
    }

    private void TellAll(DashboardViewer viewer, DashboardState state)
    {
        IReadOnlyList<ChartHistory> history =
        [
            .. from pipeline in _layout!.Pipelines
               let series = _meters.Series(pipeline.Series)
               where series is not null
               select new ChartHistory(pipeline.Id, _tick, series.Points),
        ];
        DashboardAll all = new(_layout, history, state with { Recent = _recent.Since(0) }, viewer.MayAct);
        viewer.NeedsAll = !viewer.TryTell(Message("all", all));
    }

    private (DashboardState State, bool IsNewLayout) Read(int viewers)
    {
        bool isTick = Interlocked.Exchange(ref _isTickDue, false);
        if (isTick) _tick++;
        ILookup<(string Pipeline, string Policy), CountNow> counts = _meters.Counts();
        (IReadOnlyList<DashboardReader.Reading> shown, int hidden) = _reader.Read(counts);
        bool isNew = Arrange([.. shown.Select(r => r.Layout)], hidden);
        Dictionary<string, ChartPoint> points = isTick ? ClosePoints() : [];
        _recent.Flush();
        IReadOnlyList<RecentEntry> happened = _recent.Since(_told);
        if (happened.Count > 0) _told = happened[^1].Number;
        PipelineNow[] now = [.. shown.Select(r => new PipelineNow(r.Layout.Id, points.GetValueOrDefault(r.Layout.Series), r.Now))];
        return (new(_layout!.Version, _tick, _time.GetUtcNow(), viewers, now, happened), isNew);
    }

    private Dictionary<string, ChartPoint> ClosePoints() => _meters.Pipelines.Select(name => (name, Series: _meters.Series(name)))
        .Where(s => s.Series is not null).ToDictionary(s => s.name, s => s.Series!.Next(), StringComparer.Ordinal);

    /// <summary>Remembers how things are arranged. True when that is not as it was.</summary>
    private bool Arrange(IReadOnlyList<PipelineLayout> pipelines, int hidden)
    {
        DashboardLayout next = _head.Layout(_layout?.Version ?? 1, pipelines, hidden);
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(next, DashboardJson.Default.DashboardLayout);
        if (text.AsSpan().SequenceEqual(_layoutText)) return false;
        _layout = next with { Version = next.Version + 1 };
        _layoutText = JsonSerializer.SerializeToUtf8Bytes(_layout, DashboardJson.Default.DashboardLayout);
        return true;
    }

    private static DashboardMessage Message<T>(string name, T body) => new(name, JsonSerializer.SerializeToUtf8Bytes(body, typeof(T), DashboardJson.Default));
}
