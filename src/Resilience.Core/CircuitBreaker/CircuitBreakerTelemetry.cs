using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The breaker's instruments.</summary>
internal sealed class CircuitBreakerTelemetry : IObserved
{
    private const string StateTag = "resilience.circuit_breaker.state";

    private static readonly CircuitState[] States = Enum.GetValues<CircuitState>();

    private readonly SafeCounter<long> _staleResults;
    private readonly SafeCounter<long> _slowCalls;
    private readonly WatchList<CircuitBreaker> _breakers = new();
    private readonly WatchList<CircuitBreakerPartitions> _partitions = new();

    private CircuitBreakerTelemetry(Meter meter)
    {
        _staleResults = SafeInstruments.Counter<long>(
            meter, "resilience.circuit_breaker.stale_results", "{call}", "Results that came back in a later epoch and were not counted.");
        _slowCalls = SafeInstruments.Counter<long>(
            meter, "resilience.circuit_breaker.slow_calls", "{call}", "Calls that took as long as the slow-call threshold.");
    }

    public void Observe(Meter meter) => SafeInstruments.Gauge(
        meter, "resilience.circuit_breaker.circuits", Measure, "{circuit}", "Circuits of a policy that are in a state now.");

    private static CircuitBreakerTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static m => new CircuitBreakerTelemetry(m));

    /// <summary>One event for each break and operation, so that reporting allocates as little as rejecting does. Not inlined: a call that passes shall not
    /// pay for its frame.</summary>
    /// <param name="environment">The policy's.</param>
    /// <param name="entry">Which rejection.</param>
    /// <param name="rejection">Why; null in dry run.</param>
    /// <param name="context">The call.</param>
    /// <param name="last">The event that was reported last; a race costs an object.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Rejected(
        PolicyEnvironment environment, CircuitAdmission entry, CircuitRejection? rejection, ResilienceContext context, ref CircuitRejected? last)
    {
        if (!environment.IsObserved(CircuitRejected.Metric)) return;
        CircuitRejected? happened = last;
        if (happened is null || happened.Entry != entry || happened.Rejection != rejection || happened.Operation != context.NameOfOperation)
        {
            happened = new(environment.PipelineName, environment.PolicyName, entry, rejection) { Operation = context.NameOfOperation };
            last = happened;
        }

        environment.Report(happened);
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
        { ResilienceTelemetry.PipelineTag, pipeline }, { ResilienceTelemetry.PolicyTag, policy }, { StateTag, CircuitNames.OfTag(state) },
    };
}
