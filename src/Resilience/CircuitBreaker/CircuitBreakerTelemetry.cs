using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The breaker's instruments.</summary>
internal sealed class CircuitBreakerTelemetry
{
    private readonly Counter<long> _transitions;
    private readonly Counter<long> _rejections;
    private readonly Counter<long> _staleResults;

    private CircuitBreakerTelemetry(Meter meter)
    {
        _transitions = meter.CreateCounter<long>(
            "resilience.circuit_breaker.transitions", "{transition}", "Changes of state, by the states left and entered.");
        _rejections = meter.CreateCounter<long>(
            "resilience.circuit_breaker.rejections", "{call}", "Calls refused, by reason; in dry run, calls that would have been refused.");
        _staleResults = meter.CreateCounter<long>(
            "resilience.circuit_breaker.stale_results", "{call}", "Results that came back in a later era and were not counted.");
    }

    private static CircuitBreakerTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static m => new CircuitBreakerTelemetry(m));

    internal static void Changed(PolicyEnvironment environment, Era from, Era to)
    {
        CircuitBreakerTelemetry own = Of(environment);
        if (own._transitions.Enabled)
        {
            own._transitions.Add(1, new TagList
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
        CircuitBreakerTelemetry own = Of(environment);
        if (own._rejections.Enabled)
        {
            own._rejections.Add(1, new TagList
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
        CircuitBreakerTelemetry own = Of(environment);
        if (!own._staleResults.Enabled) return;
        own._staleResults.Add(1, new TagList
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
