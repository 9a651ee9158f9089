using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>Counts the reloads of configuration, on the meter of the container.</summary>
internal sealed class ReloadTelemetry
{
    internal const string Applied = "applied";
    internal const string Rejected = "rejected";
    internal const string Unchanged = "unchanged";

    private static readonly Meter OfProcess = new(ResilienceTelemetry.MeterName, "0.1.0");

    private readonly Counter<long> _reloads;

    /// <summary>A meter gives the same counter each time it is asked.</summary>
    internal ReloadTelemetry(IMeterFactory? factory) =>
        _reloads = (factory?.Create(new MeterOptions(ResilienceTelemetry.MeterName) { Version = OfProcess.Version }) ?? OfProcess)
            .CreateCounter<long>("resilience.configuration.reloads", "{reload}", "Reloads of the configuration of a pipeline, by result.");

    internal void Count(string pipeline, string result) =>
        _reloads.Add(1, new("resilience.pipeline", pipeline), new KeyValuePair<string, object?>("resilience.result", result));
}
