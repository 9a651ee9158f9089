using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The instrument of waits before retries. Retries themselves are counted by their events.</summary>
internal sealed class RetryTelemetry
{
    private readonly SafeHistogram<double> _delay;

    private RetryTelemetry(Meter meter) => _delay = SafeInstruments.Histogram(
        meter, "resilience.retry.delay", "s", "Waits before retries.",
        [0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]);

    internal static RetryTelemetry For(Meter meter) => MeterInstruments<RetryTelemetry>.For(meter, static m => new(m));

    internal void Waits(string pipeline, string policy, TimeSpan delay)
    {
        if (!_delay.Enabled) return;
        _delay.Record(delay.TotalSeconds, new TagList { { ResilienceTelemetry.PipelineTag, pipeline }, { ResilienceTelemetry.PolicyTag, policy } });
    }
}
