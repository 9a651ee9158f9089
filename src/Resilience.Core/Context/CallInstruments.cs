using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The instruments of calls, whatever their policies.</summary>
internal sealed class CallInstruments
{
    private static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    internal readonly SafeHistogram<double> Duration;
    internal readonly SafeHistogram<int> AttemptsOfCall;
    internal readonly SafeCounter<long> Attempts;

    private CallInstruments(Meter meter)
    {
        Duration = SafeInstruments.Histogram(meter, "resilience.call.duration", "s", "Time of a call, all attempts and waits together.", Seconds);
        AttemptsOfCall = SafeInstruments.Histogram(
            meter, "resilience.call.attempts", "{attempt}", "Attempts that a call took: its amplification.", [1, 2, 3, 4, 5, 8, 13]);
        Attempts = SafeInstruments.Counter<long>(meter, "resilience.attempts", "{attempt}", "Attempts made, by verdict.");
    }

    internal static CallInstruments For(Meter meter) => MeterInstruments<CallInstruments>.For(meter, static m => new(m));

    /// <summary>True when calls are measured or traced.</summary>
    internal bool CallsAreObserved => CallsAreMeasured || ResilienceTelemetry.Source.HasListeners();

    /// <summary>True when calls are measured.</summary>
    internal bool CallsAreMeasured => Duration.Enabled || AttemptsOfCall.Enabled;

    /// <summary>The tags of what has succeeded, made once for a pipeline: most calls have no others.</summary>
    internal static KeyValuePair<string, object?>[] TagsOfSuccess(string pipeline) =>
    [
        new(ResilienceTelemetry.PipelineTag, pipeline),
        new(ResilienceTelemetry.VerdictTag, VerdictNames.Of(Verdict.Success)),
    ];

    internal void CountAttempt(string pipeline, Verdict verdict, string? errorType)
    {
        TagList tags = new() { { ResilienceTelemetry.PipelineTag, pipeline }, { ResilienceTelemetry.VerdictTag, VerdictNames.Of(verdict) } };
        if (errorType is not null) tags.Add(ResilienceTelemetry.ErrorTypeTag, errorType);
        Attempts.Add(1, tags);
    }
}
