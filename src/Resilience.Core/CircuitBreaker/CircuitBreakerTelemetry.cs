using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The breaker's instruments.</summary>
internal sealed class CircuitBreakerTelemetry : IObserved
{
    private const string FromTag = "resilience.circuit_breaker.from", ToTag = "resilience.circuit_breaker.to", StateTag = "resilience.circuit_breaker.state";

    private static readonly CircuitState[] States = Enum.GetValues<CircuitState>();

    private readonly SafeCounter<long> _transitions;
    private readonly SafeCounter<long> _rejections;
    private readonly SafeCounter<long> _staleResults;
    private readonly SafeCounter<long> _slowCalls;
    private readonly WatchList<CircuitBreaker> _breakers = new();
    private readonly WatchList<CircuitBreakerPartitions> _partitions = new();

    private CircuitBreakerTelemetry(Meter meter)
    {
        _transitions = SafeInstruments.Counter<long>(
            meter, "resilience.circuit_breaker.transitions", "{transition}", "Changes of state, by the states left and entered.");
        _rejections = SafeInstruments.Counter<long>(
            meter, "resilience.circuit_breaker.rejections", "{call}", "Calls rejected, by reason; in dry run, calls that would have been rejected.");
        _staleResults = SafeInstruments.Counter<long>(
            meter, "resilience.circuit_breaker.stale_results", "{call}", "Results that came back in a later epoch and were not counted.");
        _slowCalls = SafeInstruments.Counter<long>(
            meter, "resilience.circuit_breaker.slow_calls", "{call}", "Calls that took as long as the slow-call threshold.");
    }

    public void Observe(Meter meter) => SafeInstruments.Gauge(
        meter, "resilience.circuit_breaker.circuits", Measure, "{circuit}", "Circuits of a policy that are in a state now.");

    private static CircuitBreakerTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static m => new CircuitBreakerTelemetry(m));

    internal static void Changed(PolicyEnvironment environment, CircuitEpoch from, CircuitEpoch to)
    {
        CircuitBreakerTelemetry own = Of(environment);
        if (own._transitions.Enabled)
        {
            own._transitions.Add(1, new TagList
            {
                { ResilienceTelemetry.PipelineTag, environment.PipelineName },
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { FromTag, NameOf(from.State) },
                { ToTag, NameOf(to.State) },
            });
        }

        if (SpanEvents.Find() is not { } span) return;
        ActivityTagsCollection tags = SpanEvents.Tags(environment.PolicyName);
        tags.Add(FromTag, NameOf(from.State));
        tags.Add(ToTag, NameOf(to.State));
        if (to.State == CircuitState.Open) tags.Add(ResilienceTelemetry.ExplanationTag, to.Cause.ToString());
        SpanEvents.Add(span, "resilience.circuit_breaker.transition", tags);
    }

    internal static void Rejected(PolicyEnvironment environment, CircuitAdmission entry, CircuitRejection? rejection, ResilienceContext context)
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
            environment.Publish(new CircuitRejected(environment.PipelineName, environment.PolicyName, entry, rejection)
            {
                Operation = context.NameOfOperation,
            });
        }

        SafeRejection.TellSpan(environment.PolicyName, NameOf(entry), rejection);
    }

    internal static void Stale(PolicyEnvironment environment) => Count(Of(environment)._staleResults, environment);

    internal static void Slow(PolicyEnvironment environment) => Count(Of(environment)._slowCalls, environment);

    private static void Count(SafeCounter<long> counter, PolicyEnvironment environment)
    {
        if (!counter.Enabled) return;
        counter.Add(1, new TagList
        {
            { ResilienceTelemetry.PipelineTag, environment.PipelineName }, { ResilienceTelemetry.PolicyTag, environment.PolicyName },
        });
    }

    /// <summary>Counts the circuit by its state as long as it is alive, once, under the names under which its transitions are counted.</summary>
    internal static void Watch(PolicyEnvironment environment, CircuitBreaker breaker) => Of(environment)._breakers.Add(breaker);

    internal static void Unwatch(PolicyEnvironment environment, CircuitBreaker breaker) => Of(environment)._breakers.Remove(breaker);

    /// <summary>All circuits of the set count as one policy's: keys never make series.</summary>
    internal static void Watch(PolicyEnvironment environment, CircuitBreakerPartitions partitions) => Of(environment)._partitions.Add(partitions);

    private List<Measurement<int>> Measure()
    {
        Dictionary<(string Pipeline, string Policy), int[]> counts = [];
        foreach (CircuitBreaker breaker in _breakers.Alive()) Of(breaker.PipelineName, breaker.Name)[(int)breaker.State]++;
        foreach (CircuitBreakerPartitions set in _partitions.Alive())
        {
            int[] states = Of("", set.Name);
            foreach ((_, CircuitBreaker breaker) in set.All()) states[(int)breaker.State]++;
            if (set.Overflow.State is not CircuitState.Closed and var state) states[(int)state]++; // it may not have been needed yet
        }

        List<Measurement<int>> measured = [];
        foreach (((string pipeline, string policy), int[] states) in counts)
        {
            foreach (CircuitState state in States) measured.Add(new(states[(int)state], Tags(pipeline, policy, state)));
        }

        return measured;

        int[] Of(string pipeline, string policy) => counts.TryGetValue((pipeline, policy), out int[]? known)
            ? known
            : counts[(pipeline, policy)] = new int[States.Length];
    }

    private static TagList Tags(string pipeline, string policy, CircuitState state) => new()
    {
        { ResilienceTelemetry.PipelineTag, pipeline }, { ResilienceTelemetry.PolicyTag, policy }, { StateTag, NameOf(state) },
    };

    private static string NameOf(CircuitState state) => state switch
    {
        CircuitState.Closed => "closed",
        CircuitState.Open => "open",
        CircuitState.HalfOpen => "half_open",
        _ => "isolated",
    };

    private static string NameOf(CircuitAdmission entry) => entry switch
    {
        CircuitAdmission.AdmittedInDryRun => "dry_run",
        CircuitAdmission.RejectedOpen => "open",
        CircuitAdmission.RejectedProbesTaken => "probes_taken",
        CircuitAdmission.RejectedRamping => "ramping",
        _ => "isolated",
    };
}
