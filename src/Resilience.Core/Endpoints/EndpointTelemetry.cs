using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>The gauge of endpoints that are left out.</summary>
internal sealed class EndpointTelemetry : IObserved
{
    private readonly WatchList<EndpointSet> _sets = new();

    private EndpointTelemetry()
    {
    }

    public void Observe(Meter meter) => SafeInstruments.Gauge(
        meter, "resilience.endpoint.ejected", Measure, "{endpoint}", "Endpoints that are left out now because they fail or are slow.");

    private static EndpointTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static _ => new EndpointTelemetry());

    /// <summary>Shows the set as long as it is alive.</summary>
    internal static void Watch(PolicyEnvironment environment, EndpointSet set) => Of(environment)._sets.Add(set);

    internal static void Unwatch(PolicyEnvironment environment, EndpointSet set) => Of(environment)._sets.Remove(set);

    /// <summary>Two of one name are one series: their sum.</summary>
    private List<Measurement<int>> Measure()
    {
        Dictionary<(string Pipeline, string Policy), int> ejected = [];
        foreach (EndpointSet set in _sets.Alive())
        {
            (string, string) owner = (set.PipelineName, set.Name);
            ejected[owner] = ejected.GetValueOrDefault(owner) + set.Ejected;
        }

        return [.. ejected.Select(e => new Measurement<int>(e.Value, new TagList
        {
            { ResilienceTelemetry.PipelineTag, e.Key.Pipeline },
            { ResilienceTelemetry.PolicyTag, e.Key.Policy },
        }))];
    }
}
