using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>The instruments of adaptive limits.</summary>
internal sealed class AdaptiveLimitTelemetry : IObserved
{
    private readonly WatchList<AdaptiveConcurrencyLimit> _limits = new();
    private readonly SafeCounter<long> _decisions;

    private AdaptiveLimitTelemetry(Meter meter) =>
        _decisions = SafeInstruments.Counter<long>(
            meter, "resilience.adaptive_limit.decisions", "{decision}",
            "What adaptive limits decided at the ends of windows; windows in which the limit stays are not counted.");

    public void Observe(Meter meter)
    {
        SafeInstruments.Gauge(
            meter, "resilience.adaptive_limit.limit", () => Sum(static s => s.Limit), "{call}", "Calls that an adaptive limit lets run at once now.");
        SafeInstruments.Gauge(meter, "resilience.adaptive_limit.running", () => Sum(static s => s.Running), "{call}", "Calls that hold a place.");
        SafeInstruments.Gauge(meter, "resilience.adaptive_limit.waiting", () => Sum(static s => s.Waiting), "{call}", "Calls that wait for a place.");
        SafeInstruments.Gauge(
            meter, "resilience.adaptive_limit.baseline", () => Last(static s => s.Baseline?.TotalSeconds), "s",
            "The latency without load, as it was measured.");
        SafeInstruments.Gauge(
            meter, "resilience.adaptive_limit.gradient", () => Last(static s => s.Baseline is null ? null : s.Gradient), "1",
            "How latency compares with what is tolerated: 1 within, less above.");
    }

    private static AdaptiveLimitTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static m => new AdaptiveLimitTelemetry(m));

    /// <summary>Shows how it is, as long as it is alive.</summary>
    internal static void Watch(PolicyEnvironment environment, AdaptiveConcurrencyLimit limit) => Of(environment)._limits.Add(limit);

    internal static void Unwatch(PolicyEnvironment environment, AdaptiveConcurrencyLimit limit) => Of(environment)._limits.Remove(limit);

    internal static void Decided(PolicyEnvironment environment, LimitDecision decision)
    {
        SafeCounter<long> decisions = Of(environment)._decisions;
        if (decision == LimitDecision.Hold || !decisions.Enabled) return;
        decisions.Add(1, new TagList
        {
            { ResilienceTelemetry.PipelineTag, environment.PipelineName },
            { ResilienceTelemetry.PolicyTag, environment.PolicyName },
            { ResilienceTelemetry.ReasonTag, AdaptiveLimitNames.Of(decision) },
        });
    }

    /// <summary>Two of one name are one series: together they let so many in.</summary>
    private List<Measurement<int>> Sum(Func<AdaptiveLimitSnapshot, int> read) =>
        [.. Groups().Select(g => new Measurement<int>(g.Sum(read), TagsOf(g.Key)))];

    /// <summary>Of two of one name the latter.</summary>
    private List<Measurement<double>> Last(Func<AdaptiveLimitSnapshot, double?> read) =>
        [.. Groups().Select(g => (g.Key, Value: g.Select(read).LastOrDefault(v => v is not null))).Where(m => m.Value is not null)
            .Select(m => new Measurement<double>(m.Value!.Value, TagsOf(m.Key)))];

    private IEnumerable<IGrouping<(string Pipeline, string Policy), AdaptiveLimitSnapshot>> Groups() =>
        _limits.Alive().GroupBy(static l => (l.PipelineName, l.Name), static l => l.GetSnapshot());

    private static KeyValuePair<string, object?>[] TagsOf((string Pipeline, string Policy) owner) =>
        [new(ResilienceTelemetry.PipelineTag, owner.Pipeline), new(ResilienceTelemetry.PolicyTag, owner.Policy)];
}
