using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The instruments of chaos.</summary>
internal sealed class ChaosTelemetry
{
    private readonly Counter<long> _injections;

    private ChaosTelemetry(Meter meter) => _injections = meter.CreateCounter<long>(
        "resilience.chaos.injections", "{injection}", "What chaos policies did to calls, by kind.");

    internal static void Injected(PolicyEnvironment environment, ChaosKind kind, long number, TimeSpan? latency, ResilienceContext context)
    {
        Counter<long> injections = environment.Instruments(static m => new ChaosTelemetry(m))._injections;
        if (injections.Enabled)
        {
            injections.Add(1, new TagList
            {
                { ResilienceTelemetry.PipelineTag, environment.PipelineName },
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { KindTag, NameOf(kind) },
            });
        }

        Activity.Current?.AddEvent(new ActivityEvent(
            "resilience.chaos",
            tags: new ActivityTagsCollection { { ResilienceTelemetry.PolicyTag, environment.PolicyName }, { KindTag, NameOf(kind) } }));
        if (environment.HasListeners)
        {
            environment.Publish(new ChaosInjected(environment.PipelineName, environment.PolicyName, kind, number, latency, context.Attempt)
            {
                Operation = context.Operation,
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
