using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>The instruments of load shedders.</summary>
internal sealed class LoadShedderTelemetry : IObserved
{
    private readonly SafeHistogram<double> _wait;
    private readonly WatchList<LoadShedder> _shedders = new();

    private LoadShedderTelemetry(Meter meter) => _wait = SafeInstruments.Histogram(
        meter, "resilience.server.queue.duration", "s", "How long requests waited for a place, by class.",
        [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]);

    public void Observe(Meter meter)
    {
        SafeInstruments.Gauge(meter, "resilience.server.waiting", MeasureWaiting, "{request}", "Requests that wait for a place, by class.");
        SafeInstruments.Gauge(
            meter, "resilience.overload.level", MeasureLevels, "1", "How overloaded the process is by a signal: at 0 everything is served, at 1 nothing.");
    }

    internal static LoadShedderTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static m => new LoadShedderTelemetry(m));

    internal static void Watch(PolicyEnvironment environment, LoadShedder shedder) => Of(environment)._shedders.Add(shedder);

    internal static void Unwatch(PolicyEnvironment environment, LoadShedder shedder) => Of(environment)._shedders.Remove(shedder);

    internal static void Waited(PolicyEnvironment environment, Criticality criticality, TimeSpan time)
    {
        SafeHistogram<double> wait = Of(environment)._wait;
        if (wait.Enabled)
        {
            wait.Record(time.TotalSeconds, new TagList
            {
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { "resilience.criticality", CriticalityNames.Of(criticality) },
            });
        }
    }

    private List<Measurement<int>> MeasureWaiting() =>
    [
        .. from shedder in _shedders.Alive()
           let waiting = shedder.Limit.GetSnapshot().WaitingByClass
           from criticality in Enum.GetValues<Criticality>()
           group waiting[(int)criticality] by (shedder.Name, criticality) into series // two of one name are one series
           select new Measurement<int>(
               series.Sum(), new(ResilienceTelemetry.PolicyTag, series.Key.Name), new("resilience.criticality", CriticalityNames.Of(series.Key.criticality))),
    ];

    private List<Measurement<double>> MeasureLevels() =>
    [
        .. from shedder in _shedders.Alive()
           from level in shedder.Levels
           group level.Level by (shedder.Name, level.Signal) into series
           select new Measurement<double>(
               series.Max(), new(ResilienceTelemetry.PolicyTag, series.Key.Name), new("resilience.overload.signal", series.Key.Signal)),
    ];
}
