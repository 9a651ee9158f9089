using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>What is seen of hedges from outside: instruments, events on the current activity, events for listeners.</summary>
internal sealed class HedgingTelemetry
{
    private readonly SafeCounter<long> _hedges;
    private readonly SafeCounter<long> _denied;
    private readonly SafeCounter<long> _wins;

    private HedgingTelemetry(Meter meter)
    {
        _hedges = SafeInstruments.Counter<long>(meter, "resilience.hedges", "{attempt}", "Hedged attempts started, by what they were started for.");
        _denied = SafeInstruments.Counter<long>(meter, "resilience.hedge.denied", "{attempt}", "Hedged attempts that were due and not started, by reason.");
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

    internal void Denied(PolicyEnvironment environment, ResilienceContext context, int running, HedgeDenial denial, string? detail)
    {
        string reason = NameOf(denial);
        if (_denied.Enabled) _denied.Add(1, Tags(environment, context, reason));
        if (SpanEvents.Find() is { } span)
        {
            SpanEvents.Add(span, "resilience.hedge.denied", new()
            {
            { ResilienceTelemetry.PolicyTag, environment.PolicyName },
            { ResilienceTelemetry.ReasonTag, reason },
            });
        }

        if (!environment.HasListeners) return;
        environment.Publish(new HedgeDenied(context.NameOfPipeline, environment.PolicyName, running, denial)
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

    private static string NameOf(HedgeDenial denial) => denial switch
    {
        HedgeDenial.NotAllowed => "not_allowed",
        HedgeDenial.Marked => "marked",
        HedgeDenial.Deadline => "deadline",
        _ => "budget",
    };
}
