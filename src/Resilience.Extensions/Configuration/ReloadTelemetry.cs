using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>Counts the reloads of configuration.</summary>
internal static class ReloadTelemetry
{
    internal const string Applied = "applied";
    internal const string Rejected = "rejected";
    internal const string Unchanged = "unchanged";

    private static readonly Meter Meter = new(ResilienceTelemetry.MeterName, "0.1.0");

    private static readonly Counter<long> Reloads = Meter.CreateCounter<long>(
        "resilience.configuration.reloads", "{reload}", "Reloads of the configuration of a pipeline, by result.");

    internal static void Count(string pipeline, string result) =>
        Reloads.Add(1, new("resilience.pipeline", pipeline), new KeyValuePair<string, object?>("resilience.result", result));
}
