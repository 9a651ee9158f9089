using System.Diagnostics.Metrics;

namespace Resilience.Configuration;

/// <summary>Counts the reloads of configuration, on the meter of the container.</summary>
internal sealed class ReloadTelemetry
{
    internal const string Applied = "applied";
    internal const string Rejected = "rejected";
    internal const string Unchanged = "unchanged";

    private readonly Counter<long>? _reloads;

    /// <summary>A meter gives the same counter each time it is asked.</summary>
    internal ReloadTelemetry(IMeterFactory? factory)
    {
        Meter meter = SafeCalls.MeterOf(factory);
        _reloads = SafeCalls.Make(() =>
            meter.CreateCounter<long>("resilience.configuration.reloads", "{reload}", "Reloads of the configuration of a pipeline, by result."));
    }

    /// <summary>Never throws: what is reported of a reload must not change how it ends.</summary>
    internal void Count(string pipeline, string result) => SafeCalls.Tell(
        _reloads?.Meter,
        (Reloads: _reloads, Pipeline: pipeline, Result: result),
        static told => told.Reloads?.Add(1, new("resilience.pipeline", told.Pipeline), new KeyValuePair<string, object?>("resilience.result", told.Result)));
}
