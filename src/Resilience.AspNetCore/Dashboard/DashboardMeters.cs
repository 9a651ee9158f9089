using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>Listens to the library's meter: charts by pipeline, counts by policy. Bounded, whatever is measured: 200 pipelines of 23 kB, and those that
/// were quiet for as long as is kept make room for others.</summary>
/// <remarks>A measurement costs a search in its attributes, a look into a dictionary and an interlocked addition.</remarks>
internal sealed class DashboardMeters : IDisposable
{
    private const int MaxSeries = 200, MaxCounts = 4000;
    private const string Prefix = "resilience.";

    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, DashboardSeries> _series = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<CountKey, StrongCount> _counts = new();
    private readonly IMeterFactory? _factory;
    private readonly TimeSpan _interval;

    /// <param name="factory">The container's: its meters are heard, and those that belong to no container.</param>
    /// <param name="interval">The time of one point.</param>
    internal DashboardMeters(IMeterFactory? factory, TimeSpan interval)
    {
        _factory = factory;
        _interval = interval;
        _listener.InstrumentPublished = Published;
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Measured(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Counted(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Counted(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>The series of a pipeline; null when nothing was measured.</summary>
    internal DashboardSeries? Series(string pipeline) => _series.GetValueOrDefault(pipeline);

    /// <summary>Closes the interval of all series. By one thread at a time.</summary>
    internal void CloseInterval()
    {
        foreach ((string pipeline, DashboardSeries series) in _series)
        {
            series.Close();
            if (series.IsForgotten) _series.TryRemove(pipeline, out _);
        }
    }

    /// <summary>All counts, by pipeline and policy.</summary>
    internal ILookup<(string Pipeline, string Policy), CountNow> Counts() => _counts
        .OrderBy(c => c.Key.What, StringComparer.Ordinal).ThenBy(c => c.Key.Label, StringComparer.Ordinal)
        .ToLookup(c => (c.Key.Pipeline, c.Key.Policy), c => new CountNow(c.Key.What, c.Key.Text, Interlocked.Read(ref c.Value.Value)));

    public void Dispose() => _listener.Dispose();

    private void Published(Instrument instrument, MeterListener listener)
    {
        if (instrument.Meter.Name != ResilienceTelemetry.MeterName) return;
        if (instrument.Meter.Scope is { } scope && !ReferenceEquals(scope, _factory)) return; // another container's
        bool isWanted = instrument is Histogram<double> ? instrument.Name == "resilience.call.duration" : instrument is Counter<long> or Counter<int>;
        if (isWanted) listener.EnableMeasurementEvents(instrument);
    }

    private void Measured(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (instrument is not Histogram<double>) return;
        string? pipeline = null, verdict = null;
        foreach (KeyValuePair<string, object?> tag in tags)
        {
            if (tag.Key == "resilience.pipeline") pipeline = tag.Value as string;
            else if (tag.Key == "resilience.verdict") verdict = tag.Value as string;
        }

        SeriesOf(pipeline)?.Call(value, verdict);
    }

    private void Counted(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string? pipeline = null, policy = null, first = null, second = null;
        foreach (KeyValuePair<string, object?> tag in tags)
        {
            if (tag.Key == "resilience.pipeline") pipeline = tag.Value as string;
            else if (tag.Key == "resilience.policy") policy = tag.Value as string;
            else if (tag.Value is not string label) continue;
            else if (first is null) first = label;
            else second ??= label;
        }

        if (instrument.Name is "resilience.retries" or "resilience.hedges") SeriesOf(pipeline)?.Retry(value);
        if (policy is null) return;
        CountKey key = new(pipeline ?? "", policy, instrument.Name, first ?? "", second ?? "");
        if (!_counts.TryGetValue(key, out StrongCount? count))
        {
            if (_counts.Count >= MaxCounts) return;
            count = _counts.GetOrAdd(key, static _ => new());
        }

        Interlocked.Add(ref count.Value, value);
    }

    private DashboardSeries? SeriesOf(string? pipeline)
    {
        if (_series.TryGetValue(pipeline ?? "", out DashboardSeries? known)) return known;
        return _series.Count >= MaxSeries ? null : _series.GetOrAdd(pipeline ?? "", static (_, interval) => new(interval), _interval);
    }

    private readonly record struct CountKey(string Pipeline, string Policy, string Instrument, string Label, string Second)
    {
        internal string What => Instrument.StartsWith(Prefix, StringComparison.Ordinal) ? Instrument[Prefix.Length..] : Instrument;

        internal string Text => Second.Length == 0 ? Label : $"{Label} → {Second}";
    }

    private sealed class StrongCount
    {
        internal long Value;
    }
}
