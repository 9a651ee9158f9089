using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The gauge of delays that are measured.</summary>
internal sealed class HedgingTelemetry : IObserved
{
    private readonly WatchList<HedgingPolicy> _policies = new();

    private HedgingTelemetry()
    {
    }

    public void Observe(Meter meter) => SafeInstruments.Gauge(
        meter, "resilience.hedge.delay", Measure, "s", "The delay of hedging where it is measured: a quantile of what first attempts take.");

    private static HedgingTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static _ => new HedgingTelemetry());

    internal static void Watch(HedgingPolicy policy) => Of(policy.Environment)._policies.Add(policy);

    internal static void Unwatch(HedgingPolicy policy) => Of(policy.Environment)._policies.Remove(policy);

    /// <summary>Two of one name are one series: the longer delay. One that is infinite is not shown.</summary>
    private List<Measurement<double>> Measure()
    {
        Dictionary<(string Pipeline, string Policy), double> delays = [];
        foreach (HedgingPolicy policy in _policies.Alive())
        {
            if (policy.Measured!.Ms is var ms && ms == Clock.Never) continue;
            (string, string) owner = (policy.Environment.PipelineName, policy.Environment.PolicyName);
            delays[owner] = Math.Max(delays.GetValueOrDefault(owner), ms / 1000.0);
        }

        return [.. delays.Select(d => new Measurement<double>(d.Value, new TagList
        {
            { ResilienceTelemetry.PipelineTag, d.Key.Pipeline },
            { ResilienceTelemetry.PolicyTag, d.Key.Policy },
        }))];
    }
}
