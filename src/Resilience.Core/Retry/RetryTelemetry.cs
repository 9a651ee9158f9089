using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Events;

namespace Resilience;

/// <summary>The instruments of retries.</summary>
internal sealed class RetryTelemetry
{
    private readonly SafeCounter<long> _retries;
    private readonly SafeCounter<long> _stopped;
    private readonly SafeHistogram<double> _delay;

    private RetryTelemetry(Meter meter)
    {
        _retries = SafeInstruments.Counter<long>(meter, "resilience.retries", "{retry}", "Retries scheduled, by what the attempt before ended with.");
        _stopped = SafeInstruments.Counter<long>(meter, "resilience.retry.stopped", "{retry}", "Failures that were not retried, by reason.");
        _delay = SafeInstruments.Histogram(
            meter, "resilience.retry.delay", "s", "Waits before retries.",
            [0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]);
    }

    internal static RetryTelemetry For(Meter meter) => MeterInstruments<RetryTelemetry>.For(meter, static m => new(m));

    internal void CountRetry(string pipeline, string policy, string reason, TimeSpan delay)
    {
        if (!_retries.Enabled && !_delay.Enabled) return;
        TagList tags = new() { { ResilienceTelemetry.PipelineTag, pipeline }, { ResilienceTelemetry.PolicyTag, policy } };
        _delay.Record(delay.TotalSeconds, tags);
        tags.Add(ResilienceTelemetry.ReasonTag, reason);
        _retries.Add(1, tags);
    }

    internal void CountStopped(string pipeline, string policy, RetryStopReason cause)
    {
        if (!_stopped.Enabled) return;
        _stopped.Add(1, new TagList
        {
            { ResilienceTelemetry.PipelineTag, pipeline },
            { ResilienceTelemetry.PolicyTag, policy },
            { ResilienceTelemetry.ReasonTag, NameOf(cause) },
        });
    }

    internal static void TellRetry(Activity span, string policy, string reason, TimeSpan delay)
    {
        ActivityTagsCollection tags = SpanEvents.Tags(policy);
        tags.Add(ResilienceTelemetry.ReasonTag, reason);
        tags.Add("resilience.retry.delay", delay.TotalSeconds);
        SpanEvents.Add(span, "resilience.retry", tags);
    }

    internal static void ReportStopped(Activity span, string policy, RetryStopReason cause, string explanation)
    {
        ActivityTagsCollection tags = SpanEvents.Tags(policy);
        tags.Add(ResilienceTelemetry.ReasonTag, NameOf(cause));
        tags.Add(ResilienceTelemetry.ExplanationTag, explanation);
        SpanEvents.Add(span, "resilience.retry.stopped", tags);
    }

    private static string NameOf(RetryStopReason cause) => cause switch
    {
        RetryStopReason.Attempts => "attempts",
        RetryStopReason.NotAllowed => "not_allowed",
        RetryStopReason.Marked => "marked",
        RetryStopReason.Deadline => "deadline",
        RetryStopReason.RetryAfter => "retry_after",
        RetryStopReason.Permanent => "permanent",
        _ => "budget",
    };
}
