using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Seams;

/// <summary>The errors of callbacks that were counted in the flow of control of the test that made this, and in no other.</summary>
internal sealed class CallbackErrors : IDisposable
{
    private static readonly AsyncLocal<CallbackErrors?> Mine = new();

    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<string> _seen = [];

    internal CallbackErrors()
    {
        Mine.Value = this;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument == ResilienceTelemetry.CallbackErrors.Instrument) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            if (Mine.Value != this) return;
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key == ResilienceTelemetry.CallbackTag) _seen.Enqueue((string)tag.Value!);
            }
        });
        _listener.Start();
    }

    internal string[] Seen => [.. _seen.Distinct()];

    internal int Count => _seen.Count;

    public void Dispose() => _listener.Dispose();
}
