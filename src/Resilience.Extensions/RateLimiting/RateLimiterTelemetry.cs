using System.Diagnostics.Metrics;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The instrument of waits of one rate limiter's policy. A meter gives the same instrument each time it is asked.</summary>
internal sealed class RateLimiterTelemetry(PolicyEnvironment environment)
{
    private readonly Histogram<double>? _wait = SafeCalls.Make(() => environment.Meter.CreateHistogram(
        "resilience.rate_limit.wait.duration", "s", "How long calls waited in the queue of a rate limiter.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] }));

    internal bool MeasuresWaits => _wait is { Enabled: true };

    /// <summary>What a listener throws is counted and swallowed: the lease must not be lost to it.</summary>
    internal void Waited(TimeSpan time) => SafeCalls.Tell(environment.Meter, time, Record);

    private void Record(TimeSpan time) => _wait?.Record(
        time.TotalSeconds, new("resilience.pipeline", environment.PipelineName),
        new KeyValuePair<string, object?>("resilience.policy", environment.PolicyName));
}
