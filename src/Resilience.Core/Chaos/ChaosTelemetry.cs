using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>The instruments of chaos.</summary>
internal sealed class ChaosTelemetry
{
    private readonly SafeCounter<long> _injections;

    private ChaosTelemetry(Meter meter) => _injections = SafeInstruments.Counter<long>(
            meter, "resilience.chaos.injections", "{injection}", "What chaos policies did to calls, by kind.");

    internal static void Injected(PolicyEnvironment environment, ChaosKind kind, long number, TimeSpan? latency, ResilienceContext context)
    {
        SafeCounter<long> injections = environment.Instruments(static m => new ChaosTelemetry(m))._injections;
        if (injections.Enabled)
        {
            injections.Add(1, new TagList
            {
                { ResilienceTelemetry.PipelineTag, environment.PipelineName },
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { KindTag, NameOf(kind) },
            });
        }

        if (SpanEvents.Find() is { } span)
            SpanEvents.Add(span, "resilience.chaos", new() { { ResilienceTelemetry.PolicyTag, environment.PolicyName }, { KindTag, NameOf(kind) } });
        if (environment.HasListeners)
        {
            environment.Publish(new ChaosInjected(environment.PipelineName, environment.PolicyName, kind, number, latency, context.AttemptNumber)
            {
                Operation = context.NameOfOperation,
            });
        }
    }

    private const string KindTag = "resilience.chaos.kind";

    private static string NameOf(ChaosKind kind) => kind switch
    {
        ChaosKind.Behaviour => "behaviour",
        ChaosKind.Latency => "latency",
        ChaosKind.Fault => "fault",
        ChaosKind.Result => "result",
        _ => "lost_reply",
    };
}
