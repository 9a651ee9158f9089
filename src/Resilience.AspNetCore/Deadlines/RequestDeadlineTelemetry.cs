using System.Diagnostics.Metrics;

namespace Resilience.Overload;

/// <summary>What is measured of deadlines of requests.</summary>
internal sealed class RequestDeadlineTelemetry
{
    private const string StageTag = "resilience.deadline.stage", HeaderTag = "resilience.deadline.header";

    private readonly Meter _meter;
    private readonly Histogram<double>? _remaining;
    private readonly Counter<long>? _expired;
    private readonly Counter<long>? _malformed;
    private readonly Counter<long>? _marks;

    internal RequestDeadlineTelemetry(IMeterFactory? factory)
    {
        Meter meter = _meter = SafeCalls.MeterOf(factory);
        _remaining = SafeCalls.Make(() => meter.CreateHistogram(
            "resilience.deadline.remaining", "s", "Time left to requests with a deadline when they arrived.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] }));
        _expired = SafeCalls.Make(() => meter.CreateCounter<long>(
            "resilience.deadline.expired", "{request}", "Requests whose deadline passed before they were answered, by stage."));
        _malformed = SafeCalls.Make(() => meter.CreateCounter<long>(
            "resilience.deadline.malformed", "{header}", "Headers about a request that could not be read and were ignored."));
        _marks = SafeCalls.Make(() => meter.CreateCounter<long>(
            "resilience.do_not_retry", "{response}", "Errors that were marked as not to be retried, by direction and reason."));
    }

    internal void Arrived(TimeSpan remaining) => SafeCalls.Tell(_meter, (_remaining, remaining), static a => a._remaining?.Record(a.remaining.TotalSeconds));

    internal void Expired(string stage) =>
        SafeCalls.Tell(_meter, (_expired, stage), static a => a._expired?.Add(1, new KeyValuePair<string, object?>(StageTag, a.stage)));

    internal void Malformed(string header) =>
        SafeCalls.Tell(_meter, (_malformed, header), static a => a._malformed?.Add(1, new KeyValuePair<string, object?>(HeaderTag, a.header)));

    internal void Marked(string reason) => SafeCalls.Tell(_meter, (_marks, reason), static a => a._marks?.Add(
        1, new KeyValuePair<string, object?>("resilience.direction", "sent"), new KeyValuePair<string, object?>("resilience.reason", a.reason)));
}
