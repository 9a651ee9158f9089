using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Telemetry;

/// <summary>Listens to everything of ours, and says in what it differs from the table.</summary>
internal sealed class Heard : IDisposable
{
    internal static readonly ActivitySource Callers = new("telemetry test");

    private readonly ConcurrentDictionary<string, (string Kind, string Unit)> _instruments = [];
    private readonly ConcurrentDictionary<(string Name, string Attribute, string? Value), bool> _measured = [], _spans = [], _events = [];
    private readonly MeterListener _meters = new();
    private readonly ActivityListener _activities;

    internal Heard()
    {
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name != ResilienceTelemetry.MeterName) return;
            _instruments[instrument.Name] = (KindOf(instrument), instrument.Unit ?? "");
            listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<long>((i, _, tags, _) => Hear(i.Name, tags));
        _meters.SetMeasurementEventCallback<int>((i, _, tags, _) => Hear(i.Name, tags));
        _meters.SetMeasurementEventCallback<double>((i, _, tags, _) => Hear(i.Name, tags));
        _meters.Start();
        _activities = new()
        {
            ShouldListenTo = s => s.Name == ResilienceTelemetry.ActivitySourceName || s == Callers,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = Hear,
        };
        ActivitySource.AddActivityListener(_activities);
    }

    internal ConcurrentQueue<Activity> Spans { get; } = [];

    internal void Collect() => _meters.RecordObservableInstruments();

    public void Dispose()
    {
        _meters.Dispose();
        _activities.Dispose();
    }

    private void Hear(string name, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach ((string attribute, object? value) in tags) _measured[(name, attribute, value as string)] = true;
    }

    private void Hear(Activity span)
    {
        Spans.Enqueue(span);
        if (span.Source != Callers)
        {
            string name = span.OperationName == ResilienceTelemetry.AttemptSpanName ? span.OperationName : "resilience";
            foreach ((string attribute, object? value) in span.TagObjects) _spans[(name, attribute, value as string)] = true;
        }

        foreach (ActivityEvent happened in span.Events.Where(e => e.Name.StartsWith("resilience.", StringComparison.Ordinal)))
        {
            foreach ((string attribute, object? value) in happened.Tags) _events[(happened.Name, attribute, value as string)] = true;
        }
    }

    private static string KindOf(Instrument instrument) => instrument.GetType().Name.Split('`')[0] switch
    {
        "Counter" => "counter",
        "UpDownCounter" => "up-down counter",
        "Histogram" => "histogram",
        "ObservableGauge" => "observable gauge",
        var other => other,
    };

    /// <summary>In what the code and the table differ; empty when they agree.</summary>
    internal IReadOnlyList<string> Differences(TelemetryTable table) =>
    [
        .. _instruments.Where(i => table.Instruments.All(r => r.Name != i.Key))
            .Select(i => $"The instrument {i.Key} ({i.Value.Kind}, {i.Value.Unit}) has no row under Metrics in {TelemetryTable.Document}: add one."),
        .. table.Instruments.Where(r => !_instruments.ContainsKey(r.Name)).Select(r => $"The table has the instrument {r.Name}, and nothing published it."),
        .. table.Instruments.Where(r => _instruments.TryGetValue(r.Name, out (string, string) real) && real != (r.Kind, r.Unit))
            .Select(r => $"{r.Name} is {_instruments[r.Name]}, the table says ({r.Kind}, {r.Unit})."),
        .. Differences("instrument", table.Instruments, _measured.Keys),
        .. _spans.Keys.Select(s => s.Name).Distinct().Except(table.Spans.Select(r => r.Name)).Select(s => $"The span {s} has no row under Spans."),
        .. Differences("span", table.Spans, _spans.Keys),
        .. _events.Keys.Select(e => e.Name).Distinct().Except(table.Events.Select(r => r.Name))
            .Select(e => $"The span event {e} has no row under Span events."),
        .. Differences("span event", table.Events, _events.Keys),
    ];

    private static IEnumerable<string> Differences(string what, IReadOnlyList<Row> rows, ICollection<(string Name, string Attribute, string? Value)> seen)
    {
        foreach (Row row in rows)
        {
            ILookup<string, string?> attributes = seen.Where(s => s.Name == row.Name).ToLookup(s => s.Attribute, s => s.Value);
            foreach (string unknown in attributes.Select(a => a.Key).Except(row.Attributes.Select(a => a.Name)))
                yield return $"The {what} {row.Name} has the attribute {unknown}, which is not in its row.";
            foreach (Attribute attribute in row.Attributes)
            {
                if (!attributes.Contains(attribute.Name))
                    yield return $"The {what} {row.Name} should have the attribute {attribute.Name}, and it was never seen.";
                foreach (string? value in attributes[attribute.Name].Where(v => attribute.Values.Count > 0 && !attribute.Values.Contains(v ?? "")))
                    yield return $"The {what} {row.Name} has {attribute.Name} = {value}, which its row does not list.";
            }
        }
    }
}
