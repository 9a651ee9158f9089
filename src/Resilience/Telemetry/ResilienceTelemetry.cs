using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The names under which the library can be observed, and what is common to its instruments. Nothing is computed when nobody listens.</summary>
public static class ResilienceTelemetry
{
    /// <summary>The name of the <see cref="Meter"/>: subscribe to it to receive the metrics.</summary>
    public const string MeterName = "Resilience";

    /// <summary>The name of the <see cref="ActivitySource"/>: subscribe to it to receive a span for each call.</summary>
    public const string ActivitySourceName = "Resilience";

    /// <summary>The name of the span of an attempt, a child of the call's span.</summary>
    public const string AttemptSpanName = "attempt";

    internal const string PipelineTag = "resilience.pipeline";
    internal const string PolicyTag = "resilience.policy";
    internal const string OperationTag = "resilience.operation";
    internal const string VerdictTag = "resilience.verdict";
    internal const string CallbackTag = "resilience.callback";
    internal const string ReasonTag = "resilience.reason";
    internal const string ExplanationTag = "resilience.explanation";
    internal const string AttemptTag = "resilience.attempt";
    internal const string ErrorTypeTag = "error.type";

    internal static readonly Meter Meter = new(MeterName, "0.1.0");
    internal static readonly ActivitySource Source = new(ActivitySourceName, "0.1.0");

    internal static readonly Counter<long> CallbackErrors = Meter.CreateCounter<long>(
        "resilience.callback.errors", "{error}", "Exceptions thrown by user callbacks and swallowed.");

    private static readonly Histogram<double> TimerLateness = Meter.CreateHistogram(
        "resilience.timer.lateness", "s", "How much later than due timeouts, waits and renewals were told whom they concern.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });

    /// <summary>Something that was due is told now.</summary>
    internal static void WasLate(long ms, bool isTimeout)
    {
        if (TimerLateness.Enabled) TimerLateness.Record(ms / 1000.0, new KeyValuePair<string, object?>("resilience.timer.kind", isTimeout ? "timeout" : "wait"));
    }

    internal static void CallbackFailed(string callback, Exception error)
    {
        if (CallbackErrors.Enabled)
            CallbackErrors.Add(1, new(CallbackTag, callback), new(ErrorTypeTag, error.GetType().FullName));
        SpanEvents.Find()?.AddEvent(new("resilience.callback.error", tags: new()
        {
            { CallbackTag, callback }, { ErrorTypeTag, error.GetType().FullName },
        }));
    }

    /// <summary>The meter of a container, or the one of the process.</summary>
    internal static Meter MeterOf(IMeterFactory? factory) =>
        factory?.Create(new MeterOptions(MeterName) { Version = Meter.Version }) ?? Meter;

    /// <summary>The low-cardinality name of what went wrong: the exception's type, or the kind of refusal.</summary>
    internal static string? ErrorTypeOf(object? error) => error?.GetType().FullName;

    internal static string NameOf(Verdict verdict) => verdict switch
    {
        Verdict.Success => "success",
        Verdict.Failure => "failure",
        Verdict.Ignored => "ignored",
        Verdict.Rejected => "rejected",
        _ => "none",
    };
}
