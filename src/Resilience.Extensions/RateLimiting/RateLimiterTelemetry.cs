using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The instruments of one rate limiter's policy. A meter gives the same instrument each time it is asked.</summary>
internal sealed class RateLimiterTelemetry(PolicyEnvironment environment)
{
    /// <summary>A limiter says that it has no permits, and no more that is bounded.</summary>
    private const string Reason = "no_permits";

    private readonly Counter<long>? _rejections =
        SafeCalls.Make(() => environment.Meter.CreateCounter<long>("resilience.rate_limit.rejections", "{call}", "Calls rejected by a rate limiter."));

    private readonly Histogram<double>? _wait = SafeCalls.Make(() => environment.Meter.CreateHistogram(
        "resilience.rate_limit.wait.duration", "s", "How long calls waited in the queue of a rate limiter.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] }));

    internal bool MeasuresWaits => _wait is { Enabled: true };

    /// <summary>What a listener throws is counted and swallowed: the lease must not be lost to it.</summary>
    internal void Waited(TimeSpan time) => SafeCalls.Tell(environment.Meter, time, Record);

    /// <inheritdoc cref="Waited"/>
    internal void Rejected(RateLimitRejection rejection) => SafeCalls.Tell(environment.Meter, rejection, Count);

    private void Record(TimeSpan time) => _wait?.Record(
        time.TotalSeconds, new("resilience.pipeline", environment.PipelineName),
        new KeyValuePair<string, object?>("resilience.policy", environment.PolicyName));

    private void Count(RateLimitRejection rejection)
    {
        if (_rejections is { Enabled: true })
        {
            _rejections.Add(
                1, new("resilience.pipeline", environment.PipelineName), new("resilience.policy", environment.PolicyName),
                new KeyValuePair<string, object?>("resilience.reason", Reason));
        }

        if (Activity.Current is not { IsAllDataRequested: true } span) return;
        span.AddEvent(new("resilience.rejected", tags: new()
        {
            { "resilience.policy", environment.PolicyName }, { "resilience.reason", Reason }, { "resilience.explanation", rejection.Reason },
        }));
    }
}
