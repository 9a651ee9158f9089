using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What is seen of timeouts from outside: an instrument, and an event on the current span.</summary>
internal sealed class TimeoutTelemetry
{
    private readonly SafeCounter<long> _timeouts;

    private TimeoutTelemetry(Meter meter) => _timeouts = SafeInstruments.Counter<long>(
        meter, "resilience.timeouts", "{timeout}", "Calls or attempts that a timeout policy ended, by reason.");

    internal static TimeoutTelemetry For(Meter meter) => MeterInstruments<TimeoutTelemetry>.For(meter, static m => new(m));

    internal void Ended(PolicyEnvironment environment, string reason, TimeSpan limit)
    {
        if (_timeouts.Enabled)
        {
            _timeouts.Add(1, new TagList
            {
                { ResilienceTelemetry.PipelineTag, environment.PipelineName },
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { ResilienceTelemetry.ReasonTag, reason },
            });
        }

        if (SpanEvents.Find() is not { } span) return;
        ActivityTagsCollection tags = SpanEvents.Tags(environment.PolicyName);
        tags.Add(ResilienceTelemetry.ReasonTag, reason);
        tags.Add("resilience.timeout.limit", limit.TotalSeconds);
        SpanEvents.Add(span, "resilience.timeout", tags);
    }
}
