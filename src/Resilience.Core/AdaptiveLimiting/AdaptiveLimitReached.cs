using System.Diagnostics;
using Resilience.Overload;

namespace Resilience.Events;

/// <summary>An adaptive concurrency limit rejected a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The limit.</param>
/// <param name="Rejection">Why.</param>
public sealed record AdaptiveLimitReached(string PipelineName, string PolicyName, AdaptiveLimitRejection Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new(
        "resilience.adaptive_limit.rejections", "{call}", "Calls that an adaptive concurrency limit rejected, by reason and class.");

    /// <inheritdoc/>
    public override int GetEventId() => 41;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"call rejected: {reason}";
        return message.With(nameof(Rejection.Why), Rejection.Why).With(nameof(Rejection.Criticality), Rejection.Criticality);
    }

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override Rejection GetRejection() => Rejection;

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags)
    {
        tags.Add(ResilienceTelemetry.ReasonTag, AdaptiveLimitNames.Of(Rejection.Why));
        tags.Add("resilience.criticality", CriticalityNames.Of(Rejection.Criticality));
    }

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new($"rejected {AdaptiveLimitNames.Of(Rejection.Why)}", IsRejection: true);

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => SafeRejection.ReasonOf(Rejection);
}
