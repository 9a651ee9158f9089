using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What is seen of hedges from outside: instruments, events on the current activity, events for listeners.</summary>
internal sealed class HedgingTelemetry
{
    private readonly SafeCounter<long> _hedges;
    private readonly SafeCounter<long> _stopped;
    private readonly SafeCounter<long> _wins;

    private HedgingTelemetry(Meter meter)
    {
        _hedges = SafeInstruments.Counter<long>(meter, "resilience.hedges", "{attempt}", "Hedged attempts started, by what they were started for.");
        _stopped = SafeInstruments.Counter<long>(meter, "resilience.hedge.skipped", "{attempt}", "Hedged attempts that were due and not started, by reason.");
        _wins = SafeInstruments.Counter<long>(meter, "resilience.hedge.wins", "{call}", "Calls in which a hedged attempt answered first.");
    }

    internal static HedgingTelemetry For(Meter meter) => MeterInstruments<HedgingTelemetry>.For(meter, static m => new(m));

    internal void Started(PolicyEnvironment environment, ResilienceContext context, int attempt, int running, string reason)
    {
        if (_hedges.Enabled) _hedges.Add(1, Tags(environment, context, reason));
        if (SpanEvents.Find() is { } span)
        {
            SpanEvents.Add(span, "resilience.hedge", new()
            {
            { ResilienceTelemetry.PolicyTag, environment.PolicyName },
            { ResilienceTelemetry.ReasonTag, reason },
            { "resilience.attempt", attempt },
            });
        }

        if (!environment.HasListeners) return;
        environment.Publish(new HedgeStarted(context.NameOfPipeline, environment.PolicyName, attempt, running, reason) { Operation = context.NameOfOperation });
    }

    internal void Skipped(PolicyEnvironment environment, ResilienceContext context, int running, HedgeSkipReason cause, string? detail)
    {
        string reason = NameOf(cause);
        if (_stopped.Enabled) _stopped.Add(1, Tags(environment, context, reason));
        if (SpanEvents.Find() is { } span)
        {
            SpanEvents.Add(span, "resilience.hedge.skipped", new()
            {
            { ResilienceTelemetry.PolicyTag, environment.PolicyName },
            { ResilienceTelemetry.ReasonTag, reason },
            });
        }

        if (!environment.HasListeners) return;
        environment.Publish(new HedgeSkipped(context.NameOfPipeline, environment.PolicyName, running, cause)
        {
            Detail = detail,
            Operation = context.NameOfOperation,
        });
    }

    internal void Won(PolicyEnvironment environment, ResilienceContext context, int attempt, int cancelled)
    {
        if (_wins.Enabled)
        {
            _wins.Add(1, new TagList
            {
                { ResilienceTelemetry.PipelineTag, context.NameOfPipeline },
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
            });
        }

        if (SpanEvents.Find() is { } span)
        {
            SpanEvents.Add(span, "resilience.hedge.won", new()
            {
            { ResilienceTelemetry.PolicyTag, environment.PolicyName },
            { "resilience.attempt", attempt },
            });
        }

        if (!environment.HasListeners) return;
        environment.Publish(new HedgeWon(context.NameOfPipeline, environment.PolicyName, attempt, cancelled) { Operation = context.NameOfOperation });
    }

    private static TagList Tags(PolicyEnvironment environment, ResilienceContext context, string reason) => new()
    {
        { ResilienceTelemetry.PipelineTag, context.NameOfPipeline },
        { ResilienceTelemetry.PolicyTag, environment.PolicyName },
        { ResilienceTelemetry.ReasonTag, reason },
    };

    private static string NameOf(HedgeSkipReason cause) => cause switch
    {
        HedgeSkipReason.NotAllowed => "not_allowed",
        HedgeSkipReason.Marked => "marked",
        HedgeSkipReason.Deadline => "deadline",
        _ => "budget",
    };
}
