using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>The gauge of throttles.</summary>
internal sealed class AdaptiveThrottleTelemetry : IObserved
{
    private readonly WatchList<AdaptiveThrottle> _throttles = new();

    private AdaptiveThrottleTelemetry()
    {
    }

    public void Observe(Meter meter) => SafeInstruments.Gauge(
        meter, "resilience.throttle.ratio", Measure, "1", "The share of calls that an adaptive throttle rejects now, by class.");

    private static AdaptiveThrottleTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static _ => new AdaptiveThrottleTelemetry());

    /// <summary>Shows its shares as long as it is alive.</summary>
    internal static void Watch(PolicyEnvironment environment, AdaptiveThrottle throttle) => Of(environment)._throttles.Add(throttle);

    internal static void Unwatch(PolicyEnvironment environment, AdaptiveThrottle throttle) => Of(environment)._throttles.Remove(throttle);

    /// <summary>Two of one name are one series: the larger share, because it is where calls are rejected.</summary>
    private List<Measurement<double>> Measure()
    {
        Dictionary<(string Pipeline, string Policy, Criticality Criticality), double> shares = [];
        foreach (AdaptiveThrottle throttle in _throttles.Alive())
        {
            foreach (Criticality criticality in AdaptiveThrottle.Criticalities)
            {
                (string, string, Criticality) owner = (throttle.PipelineName, throttle.Name, criticality);
                shares[owner] = Math.Max(shares.GetValueOrDefault(owner), throttle.ShareRejected(criticality));
            }
        }

        return [.. shares.Select(s => new Measurement<double>(s.Value, new TagList
        {
            { ResilienceTelemetry.PipelineTag, s.Key.Pipeline },
            { ResilienceTelemetry.PolicyTag, s.Key.Policy },
            { "resilience.criticality", CriticalityNames.Of(s.Key.Criticality) },
        }))];
    }
}
