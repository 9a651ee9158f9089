using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Resilience.Events;

namespace Resilience;

/// <summary>From the first viewer to the last: listens to events, reads the state at a bounded rate and tells all viewers.</summary>
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
    private readonly DashboardHistory _history;
    private readonly IDisposable _events;
    private readonly CancellationTokenSource _end = new();
    private readonly CancellationToken _ended;

    // One place: however often it is asked to hurry, the reader wakes once.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private long _tick;
    private long _told;
    private DashboardLayout? _layout;
    private byte[] _layoutText = [];

    internal DashboardSession(
        DashboardFeed feed,
        DashboardReader reader,
        DashboardRecent recent,
        ResilienceEvents events,
        DashboardHistory history,
        DashboardHead head,
        TimeProvider time,
        ILogger logger)
    {
        (_feed, _reader, _recent, _head, _time, _logger) = (feed, reader, recent, head, time, logger);
        _told = recent.LastNumber;
        _ended = _end.Token;
        _history = history;
        _tick = history.Tick;
        _events = events.Subscribe(static _ => { }); // all events are made while there is a viewer; the feed gathers them
        recent.StateChanged += Hurry;
        history.Advanced += Hurry;
        _ = Task.Run(RunAsync);
    }

    /// <summary>Something happened that shall be seen at once.</summary>
    internal void Hurry() => _wake.Writer.TryWrite(true);

    public void Dispose()
    {
        _recent.StateChanged -= Hurry;
        _history.Advanced -= Hurry;
        _events.Dispose();
        _end.Cancel();
        _end.Dispose();
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
            (DashboardState state, MeasuredNow measured, bool isNew, bool isBehind) = Read(viewers);
            DashboardMessage? layout = isNew ? Message("layout", _layout!) : null, now = null;
            foreach (DashboardViewer viewer in viewers)
            {
                if (viewer.NeedsAll || isBehind) TellAll(viewer, state, measured);
                else viewer.NeedsAll = (layout is not null && !viewer.TryTell(layout)) || !viewer.TryTell(now ??= Message("state", state));
            }
        }
        catch (Exception error)
        {
            EndpointLog.PageReadingFailed(_logger, error);
        }
    }

    private void TellAll(DashboardViewer viewer, DashboardState state, MeasuredNow measured)
    {
        DashboardAll all = new(_layout!, measured.Past(_layout!), state with { Recent = _recent.Since(0) }, viewer.MayAct);
        viewer.NeedsAll = !viewer.TryTell(Message("all", all));
    }

    /// <summary>Behind: more than one interval has ended since the last reading, so that a single point would leave a gap.</summary>
    private (DashboardState State, MeasuredNow Measured, bool IsNewLayout, bool IsBehind) Read(IReadOnlyList<DashboardViewer> viewers)
    {
        (IReadOnlyList<DashboardReader.Reading> shown, int hidden) = _reader.Read(_history.Meters.Counts());
        bool isNew = Arrange([.. shown.Select(r => r.Layout)], hidden);
        _recent.Flush();
        IReadOnlyList<RecentEntry> happened = _recent.Since(_told);
        if (happened.Count > 0) _told = happened[^1].Number;

        // The points are long, and only a viewer who has none, or who missed some, needs them.
        long told = _tick;
        MeasuredNow measured = _history.Read(shown.Select(r => r.Layout.Series), viewers.Any(v => v.NeedsAll));
        bool isBehind = measured.Tick > told + 1;
        if (isBehind) measured = _history.Read(shown.Select(r => r.Layout.Series), withPoints: true);
        _tick = measured.Tick;
        bool isTick = measured.Tick > told, withTimes = isTick || viewers.Any(v => v.NeedsAll); // a newcomer does not wait for an interval to end
        PipelineNow[] now = [.. shown.Select(r => Now(r, measured.Series.GetValueOrDefault(r.Layout.Series), isTick, withTimes))];
        return (new(_layout!.Version, _tick, _time.GetUtcNow(), viewers.Count, now, happened), measured, isNew, isBehind);
    }

    private static PipelineNow Now(DashboardReader.Reading reading, SeriesNow? series, bool isTick, bool withTimes) =>
        new(reading.Layout.Id, isTick ? series?.Last : null, withTimes ? series?.Times : null, reading.Now);

    /// <summary>Remembers how things are arranged. True when that is not as it was.</summary>
    private bool Arrange(IReadOnlyList<PipelineLayout> pipelines, int hidden)
    {
        DashboardLayout next = _head.Layout(_layout?.Version ?? 1, _history.Since, pipelines, hidden);
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(next, DashboardJson.Default.DashboardLayout);
        if (text.AsSpan().SequenceEqual(_layoutText)) return false;
        _layout = next with { Version = next.Version + 1 };
        _layoutText = JsonSerializer.SerializeToUtf8Bytes(_layout, DashboardJson.Default.DashboardLayout);
        return true;
    }

    private static DashboardMessage Message<T>(string name, T body) => new(name, JsonSerializer.SerializeToUtf8Bytes(body, typeof(T), DashboardJson.Default));
}
