using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Seams;

/// <summary>The errors of callbacks that were counted in the flow of control of the test that made this, and in no other.</summary>
internal sealed class CallbackErrors : IDisposable
{
    private static readonly AsyncLocal<CallbackErrors?> Mine = new();

    private readonly MeterListener _listener = new();
    private readonly ConcurrentQueue<string> _seen = [];

    /// <param name="own">An error that no other test throws at the same time: it is counted also on threads without a flow, such as those of a clock.</param>
    internal CallbackErrors(Type? own = null)
    {
        Mine.Value = this;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument == ResilienceTelemetry.CallbackErrors.Instrument) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            string? callback = null, type = null;
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key == ResilienceTelemetry.CallbackTag) callback = (string)tag.Value!;
                if (tag.Key == ResilienceTelemetry.ErrorTypeTag) type = (string)tag.Value!;
            }

            if (callback is not null && (Mine.Value == this || (Mine.Value is null && own is not null && type == own.FullName))) _seen.Enqueue(callback);
        });
        _listener.Start();
    }

    internal string[] Seen => [.. _seen.Distinct()];

    internal int Count => _seen.Count;

    public void Dispose() => _listener.Dispose();
}
