using System.Diagnostics;
using Resilience.Chaos;

namespace Resilience.Events;

/// <summary>A chaos policy did something to a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The chaos policy.</param>
/// <param name="Kind">What it did. A call can have behaviour, latency and one outcome, each an event of its own.</param>
/// <param name="Number">The number of the call since chaos was turned on, from 0.</param>
/// <param name="Latency">For <see cref="ChaosKind.Latency"/>: how much.</param>
/// <param name="Attempt">The attempt that was under way, 0 for the first.</param>
public sealed record ChaosInjected(string PipelineName, string PolicyName, ChaosKind Kind, long Number, TimeSpan? Latency, int Attempt)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.chaos.injections", "{injection}", "What chaos policies did to calls, by kind.");

    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 14;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Latency is null) return $"{Kind} injected into call {Number}, attempt {AttemptNumber}";
        return $"{Kind} of {Latency} injected into call {Number}, attempt {AttemptNumber}";
    }

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.chaos";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add("resilience.chaos.kind", KindTag);

    private string KindTag => Kind switch
    {
        ChaosKind.Behaviour => "behaviour",
        ChaosKind.Latency => "latency",
        ChaosKind.Fault => "fault",
        ChaosKind.Result => "result",
        _ => "lost_reply",
    };

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new($"chaos {Kind}");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: {KindTag.Replace('_', ' ')} injected on purpose.";
}
