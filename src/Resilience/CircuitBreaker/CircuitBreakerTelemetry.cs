using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The breaker's instruments.</summary>
internal static class CircuitBreakerTelemetry
{
    private static readonly Counter<long> Transitions = ResilienceTelemetry.Meter.CreateCounter<long>(
        "resilience.circuit_breaker.transitions", "{transition}", "Changes of state, by the states left and entered.");

    private static readonly Counter<long> Rejections = ResilienceTelemetry.Meter.CreateCounter<long>(
        "resilience.circuit_breaker.rejections", "{call}", "Calls refused, by reason; in dry run, calls that would have been refused.");

    private static readonly Counter<long> StaleResults = ResilienceTelemetry.Meter.CreateCounter<long>(
        "resilience.circuit_breaker.stale_results", "{call}", "Results that came back in a later era and were not counted.");

    internal static void Changed(PolicyEnvironment environment, Era from, Era to)
    {
        if (Transitions.Enabled)
        {
            Transitions.Add(1, new TagList
            {
                { ResilienceTelemetry.PipelineTag, environment.PipelineName },
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { "resilience.circuit_breaker.from", NameOf(from.State) },
                { "resilience.circuit_breaker.to", NameOf(to.State) },
            });
        }

        Activity.Current?.AddEvent(new ActivityEvent(
            "resilience.circuit_breaker.transition",
            tags: new ActivityTagsCollection
            {
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { "resilience.circuit_breaker.to", NameOf(to.State) },
            }));
    }

    internal static void Refused(PolicyEnvironment environment, CircuitEntry entry, CircuitRefusal? refusal, ResilienceContext context)
    {
        if (Rejections.Enabled)
        {
            Rejections.Add(1, new TagList
            {
                { ResilienceTelemetry.PipelineTag, environment.PipelineName },
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { ResilienceTelemetry.ReasonTag, NameOf(entry) },
            });
        }

        if (environment.HasListeners)
        {
            environment.Publish(new CircuitRefused(environment.PipelineName, environment.PolicyName, entry, refusal)
            {
                Operation = context.Operation,
            });
        }

        Activity.Current?.AddEvent(new ActivityEvent(
            "resilience.refused",
            tags: new ActivityTagsCollection { { ResilienceTelemetry.PolicyTag, environment.PolicyName }, { ResilienceTelemetry.ReasonTag, NameOf(entry) } }));
    }

    internal static void Stale(PolicyEnvironment environment)
    {
        if (!StaleResults.Enabled) return;
        StaleResults.Add(1, new TagList
        {
            { ResilienceTelemetry.PipelineTag, environment.PipelineName },
            { ResilienceTelemetry.PolicyTag, environment.PolicyName },
        });
    }

    private static string NameOf(CircuitState state) => state switch
    {
        CircuitState.Closed => "closed",
        CircuitState.Open => "open",
        CircuitState.HalfOpen => "half_open",
        _ => "isolated",
    };

    private static string NameOf(CircuitEntry entry) => entry switch
    {
        CircuitEntry.AdmittedInDryRun => "dry_run",
        CircuitEntry.RefusedOpen => "open",
        CircuitEntry.RefusedProbesTaken => "probes_taken",
        CircuitEntry.RefusedRamping => "ramping",
        _ => "isolated",
    };
}
