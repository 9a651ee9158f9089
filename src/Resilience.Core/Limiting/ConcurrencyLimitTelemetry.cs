using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The limit's instruments.</summary>
internal sealed class ConcurrencyLimitTelemetry : IObserved
{
    private readonly SafeUpDownCounter<long> _running;
    private readonly SafeUpDownCounter<long> _waiting;
    private readonly SafeHistogram<double> _wait;
    private readonly WatchList<ConcurrencyLimit> _limits = new();

    private ConcurrencyLimitTelemetry(Meter meter)
    {
        _running = SafeInstruments.UpDownCounter<long>(meter, "resilience.concurrency_limit.running", "{call}", "Calls that hold a place.");
        _waiting = SafeInstruments.UpDownCounter<long>(meter, "resilience.concurrency_limit.waiting", "{call}", "Calls that wait for a place.");
        _wait = SafeInstruments.Histogram(
            meter, "resilience.concurrency_limit.wait.duration", "s", "How long calls waited for a place.",
            [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]);
    }

    public void Observe(Meter meter) =>
        SafeInstruments.Gauge(meter, "resilience.concurrency_limit.limit", Measure, "{call}", "Calls that may run at once now.");

    private static ConcurrencyLimitTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static m => new ConcurrencyLimitTelemetry(m));

    /// <summary>True when it was recorded. What was not counted on the way in is not counted on the way out: a listener that comes
    /// late would see fewer than none.</summary>
    internal static bool Entered(PolicyEnvironment environment) => Add(Of(environment)._running, environment);

    internal static void Left(PolicyEnvironment environment) => Of(environment)._running.Add(-1, TagsOf(environment));

    /// <inheritdoc cref="Entered"/>
    internal static bool Queued(PolicyEnvironment environment) => Add(Of(environment)._waiting, environment);

    internal static void LeftQueue(PolicyEnvironment environment) => Of(environment)._waiting.Add(-1, TagsOf(environment));

    private static bool Add(SafeUpDownCounter<long> calls, PolicyEnvironment environment)
    {
        if (!calls.Enabled) return false;
        calls.Add(1, TagsOf(environment));
        return true;
    }

    internal static void Waited(PolicyEnvironment environment, TimeSpan time)
    {
        SafeHistogram<double> wait = Of(environment)._wait;
        if (wait.Enabled) wait.Record(time.TotalSeconds, TagsOf(environment));
    }

    /// <summary>Shows how many it lets in, as long as it is alive.</summary>
    internal static void Watch(PolicyEnvironment environment, ConcurrencyLimit limit) => Of(environment)._limits.Add(limit);

    internal static void Unwatch(PolicyEnvironment environment, ConcurrencyLimit limit) => Of(environment)._limits.Remove(limit);

    private List<Measurement<int>> Measure()
    {
        Dictionary<(string Pipeline, string Policy), int> limits = [];
        foreach (ConcurrencyLimit limit in _limits.Alive())
        {
            (string, string) owner = (limit.PipelineName, limit.Name);
            limits[owner] = limits.GetValueOrDefault(owner) + limit.Limit; // two of one name are one series
        }

        return [.. limits.Select(l => new Measurement<int>(
            l.Value, new(ResilienceTelemetry.PipelineTag, l.Key.Pipeline), new(ResilienceTelemetry.PolicyTag, l.Key.Policy)))];
    }

    private static TagList TagsOf(PolicyEnvironment environment) => new()
    {
        { ResilienceTelemetry.PipelineTag, environment.PipelineName },
        { ResilienceTelemetry.PolicyTag, environment.PolicyName },
    };
}
