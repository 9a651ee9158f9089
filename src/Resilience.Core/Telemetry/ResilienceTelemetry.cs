using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;

namespace Resilience;

/// <summary>The names under which the library can be observed, and what is common to its instruments. Nothing is computed without a listener.</summary>
public static class ResilienceTelemetry
{
    /// <summary>The name of the <see cref="Meter"/>: subscribe to it to receive the metrics.</summary>
    public const string MeterName = "Resilience";

    /// <summary>The name of the <see cref="ActivitySource"/>: subscribe to it to receive a span for each call.</summary>
    public const string ActivitySourceName = "Resilience";

    /// <summary>The name of the span of an attempt, a child of the call's span.</summary>
    public const string AttemptSpanName = "attempt";

    /// <summary>The version that the meter and the activity source tell: that of this package. Null if the assembly was built without one.</summary>
    public static string? Version { get; } = WithoutBuild(
        typeof(ResilienceTelemetry).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion);

    internal const string PipelineTag = "resilience.pipeline";
    internal const string PolicyTag = "resilience.policy";
    internal const string OperationTag = "resilience.operation";
    internal const string VerdictTag = "resilience.verdict";
    internal const string CallbackTag = "resilience.callback";
    internal const string ReasonTag = "resilience.reason";
    internal const string ExplanationTag = "resilience.explanation";
    internal const string AttemptTag = "resilience.attempt";
    internal const string ErrorTypeTag = "error.type";

    internal static readonly Meter Meter = new(MeterName, Version);
    internal static readonly ActivitySource Source = Span.MakeSource(ActivitySourceName, Version);

    internal static readonly SafeCounter<long> CallbackErrors = SafeInstruments.Counter<long>(
        Meter, "resilience.callback.errors", "{error}", "Exceptions thrown by user callbacks and swallowed.");

    private static readonly SafeCounter<long> SynchronousWaits = SafeInstruments.Counter<long>(
        Meter, "resilience.synchronous.waits", "{wait}", "How often the thread of a synchronous call waited for asynchronous code that is not the library's.");

    private static readonly SafeHistogram<double> TimerLateness = SafeInstruments.Histogram<double>(
        Meter, "resilience.timer.lateness", "s", "How much later than due timeouts, waits and renewals were told whom they concern.",
        [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]);

    /// <summary>What follows a plus tells builds of one version apart.</summary>
    internal static string? WithoutBuild(string? version) => version?.Split('+')[0];

    /// <summary>A thread waits for code of the user.</summary>
    internal static void ThreadWaits(string pipelineName)
    {
        if (SynchronousWaits.Enabled) SynchronousWaits.Add(1, new TagList { { PipelineTag, pipelineName } });
    }

    /// <summary>Something that was due is told now.</summary>
    internal static void WasLate(long ms, bool isTimeout)
    {
        if (TimerLateness.Enabled) TimerLateness.Record(ms / 1000.0, new TagList { { "resilience.timer.kind", isTimeout ? "timeout" : "wait" } });
    }

    [ThreadStatic]
    private static bool IsTelling; // who listens to the errors may throw as well: that is not told, or it would go on for ever

    /// <summary>Call <see cref="Safely.Report"/>, which never throws.</summary>
    internal static void CallbackFailed(string callback, Exception error)
    {
        if (IsTelling) return;
        IsTelling = true;
        try
        {
            string? type = error.GetType().FullName;
            if (CallbackErrors.Enabled) CallbackErrors.Add(1, new TagList { { CallbackTag, callback }, { ErrorTypeTag, type } });
            if (SpanEvents.Find() is { } span) SpanEvents.Add(span, "resilience.callback.error", new() { { CallbackTag, callback }, { ErrorTypeTag, type } });
        }
        finally
        {
            IsTelling = false;
        }
    }

    /// <summary>The meter of a container, or the one of the process.</summary>
    internal static Meter MeterOf(IMeterFactory? factory) =>
        factory?.Create(new MeterOptions(MeterName) { Version = Meter.Version }) ?? Meter;

    /// <summary>The low-cardinality name of what went wrong: the exception's type, or the kind of rejection.</summary>
    internal static string? ErrorTypeOf(object? error) => error?.GetType().FullName;
}
