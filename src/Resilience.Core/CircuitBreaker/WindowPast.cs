namespace Resilience;

/// <summary>What a window has brought along from the windows that stood in its place before an update changed their shape: counts with the
/// spans of time in which they happened. Immutable, but for late counts that still reach the window that was replaced last.</summary>
/// <remarks>
/// Counts are never moved to other buckets: a span stays where it is on the line of time however often the shape changes, and counts
/// until its end has left the window. So nothing is forgotten early, nothing becomes younger by an update, and nothing is remembered
/// longer than the width of a bucket that it once stood in. Neighbours are joined while the span they make together is no wider than a
/// bucket, so that there are at most two or three for each bucket of the window, however many updates there were.
/// </remarks>
internal sealed class WindowPast
{
    private readonly uint _slotBase; // of the epoch of the counts: in a later one they are history
    private readonly Span[] _spans;
    private readonly FailureWindow? _last;
    private readonly long _lastBucketMs;
    private readonly long _untilMs; // nothing here ends later

    private WindowPast(uint slotBase, Span[] spans, FailureWindow? last, long lastBucketMs, long untilMs)
    {
        _slotBase = slotBase;
        _spans = spans;
        _last = last;
        _lastBucketMs = lastBucketMs;
        _untilMs = untilMs;
    }

    internal int Spans => _spans.Length;

    /// <summary>The past of a window over time that takes the place of <paramref name="last"/>, another window over time.</summary>
    internal static WindowPast Of(FailureWindow last, long lastBucketMs, WindowPast? before, CircuitEpoch epoch, long nowMs, long bucketMs, long windowMs)
    {
        List<Span> spans = before?.AsSpans(epoch, nowMs) ?? [];
        spans.RemoveAll(s => nowMs - s.EndMs >= windowMs);
        return new(epoch.SlotBase, Joined(spans, bucketMs), last, lastBucketMs, ((nowMs / lastBucketMs) + 2) * lastBucketMs);
    }

    /// <summary>The same of a window over calls. Calls have no age there: they are as old as the update.</summary>
    internal static WindowPast OfCalls(FailureWindow last, CircuitEpoch epoch, long nowMs)
    {
        (int calls, int bad) = last.Sum(epoch.SlotBase);
        return new(epoch.SlotBase, calls == 0 ? [] : [new(nowMs, nowMs + 1, calls, bad)], null, 1, nowMs + 1);
    }

    /// <summary>The calls and the bad ones among them that are not older than the window.</summary>
    internal (int Calls, int Bad) Sum(CircuitEpoch epoch, long nowMs, long windowMs)
    {
        if (epoch.SlotBase != _slotBase || nowMs - _untilMs >= windowMs) return default;
        (int calls, int bad) = (0, 0);
        foreach (Span span in _spans)
        {
            if (nowMs - span.EndMs >= windowMs) continue;
            calls += span.Calls;
            bad += span.Bad;
        }

        if (_last is null) return (calls, bad);
        uint first = SlotOf(Math.Max(epoch.SinceMs, nowMs - windowMs));
        (int moreCalls, int moreBad) = _last.SumOf(first, SlotOf(nowMs) + 1);
        return (calls + moreCalls, bad + moreBad);
    }

    /// <summary>All that is known, from the oldest to the youngest.</summary>
    internal static List<Span> Known(FailureWindow window, long bucketMs, WindowPast? before, CircuitEpoch epoch, long nowMs)
    {
        List<Span> spans = before?.AsSpans(epoch, nowMs) ?? [];
        AddSpans(spans, window, bucketMs, epoch, nowMs);
        return spans;
    }

    private List<Span> AsSpans(CircuitEpoch epoch, long nowMs)
    {
        if (epoch.SlotBase != _slotBase) return [];
        List<Span> spans = [.. _spans];
        if (_last is not null) AddSpans(spans, _last, _lastBucketMs, epoch, nowMs);
        return spans;
    }

    /// <summary>A bucket is a span from where its slot, or the window, begins to where its slot ends, or to the present.</summary>
    private static void AddSpans(List<Span> spans, FailureWindow window, long bucketMs, CircuitEpoch epoch, long nowMs)
    {
        long since = Math.Max(epoch.SinceMs, window.MadeMs), last = nowMs / bucketMs;
        for (long slot = Math.Max(since / bucketMs, last - window.Ring); slot <= last + 1; slot++)
        {
            uint stamp = (uint)slot + epoch.SlotBase;
            (int calls, int bad) = window.SumOf(stamp, stamp);
            if (calls == 0) continue;
            long end = Math.Min((slot + 1) * bucketMs, nowMs + 1);
            spans.Add(new(Math.Min(Math.Max(slot * bucketMs, since), end - 1), end, calls, bad));
        }
    }

    private static Span[] Joined(List<Span> spans, long bucketMs)
    {
        List<Span> joined = [];
        foreach (Span span in spans.OrderBy(s => s.StartMs))
        {
            if (joined.Count > 0 && joined[^1] is var last && Math.Max(last.EndMs, span.EndMs) - last.StartMs <= bucketMs)
                joined[^1] = new(last.StartMs, Math.Max(last.EndMs, span.EndMs), last.Calls + span.Calls, last.Bad + span.Bad);
            else joined.Add(span);
        }

        return [.. joined];
    }

    private uint SlotOf(long ms) => (uint)(ms / _lastBucketMs) + _slotBase;

    /// <summary>Calls that happened from one moment until before another.</summary>
    internal readonly record struct Span(long StartMs, long EndMs, int Calls, int Bad);
}
