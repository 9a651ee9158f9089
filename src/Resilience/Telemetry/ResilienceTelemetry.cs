using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The names under which the library can be observed, and its instruments. Nothing is computed when nobody listens.</summary>
public static class ResilienceTelemetry
{
    /// <summary>The name of the <see cref="Meter"/>: subscribe to it to receive the metrics.</summary>
    public const string MeterName = "Resilience";

    /// <summary>The name of the <see cref="ActivitySource"/>: subscribe to it to receive a span for each call.</summary>
    public const string ActivitySourceName = "Resilience";

    internal const string PipelineTag = "resilience.pipeline";
    internal const string PolicyTag = "resilience.policy";
    internal const string OperationTag = "resilience.operation";
    internal const string VerdictTag = "resilience.verdict";
    internal const string ReasonTag = "resilience.reason";
    internal const string ErrorTypeTag = "error.type";

    internal static readonly Meter Meter = new(MeterName, "0.1.0");
    internal static readonly ActivitySource Source = new(ActivitySourceName, "0.1.0");

    private static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    internal static readonly Histogram<double> CallDuration = Meter.CreateHistogram(
        "resilience.call.duration", "s", "Time of a call, all attempts and waits together.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });

    internal static readonly Histogram<int> CallAttempts = Meter.CreateHistogram(
        "resilience.call.attempts", "{attempt}", "Attempts that a call took: its amplification.", null,
        new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 3, 4, 5, 8, 13] });

    internal static readonly Counter<long> Attempts = Meter.CreateCounter<long>(
        "resilience.attempts", "{attempt}", "Attempts made, by verdict.");

    internal static readonly Counter<long> CallbackErrors = Meter.CreateCounter<long>(
        "resilience.callback.errors", "{error}", "Exceptions thrown by user callbacks and swallowed.");

    /// <summary>True when calls must be measured.</summary>
    internal static bool CallsAreObserved => CallDuration.Enabled || CallAttempts.Enabled || Source.HasListeners();

    internal static void CallbackFailed(string callback, Exception error)
    {
        if (CallbackErrors.Enabled)
            CallbackErrors.Add(1, new("resilience.callback", callback), new(ErrorTypeTag, error.GetType().FullName));
        Activity.Current?.AddEvent(new ActivityEvent("resilience.callback.error"));
    }

    internal static void CountAttempt(string pipeline, Verdict verdict, string? errorType)
    {
        TagList tags = new() { { PipelineTag, pipeline }, { VerdictTag, NameOf(verdict) } };
        if (errorType is not null) tags.Add(ErrorTypeTag, errorType);
        Attempts.Add(1, tags);
    }

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
