using System.Diagnostics;
using Resilience.Overload;

namespace Resilience.Events;

/// <summary>An adaptive throttle rejected a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The throttle.</param>
/// <param name="Rejection">Why.</param>
public sealed record CallThrottled(string PipelineName, string PolicyName, ThrottleRejection Rejection) : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.throttle.rejections", "{call}", "Calls that an adaptive throttle rejected, by class.");

    /// <inheritdoc/>
    public override int GetEventId() => 17;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"call rejected: {reason}";
        return message.With(nameof(Rejection.Criticality), Rejection.Criticality);
    }

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override Rejection GetRejection() => Rejection;

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add("resilience.criticality", CriticalityNames.Of(Rejection.Criticality));

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new($"rejected {CriticalityNames.Of(Rejection.Criticality)}", IsRejection: true);

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => SafeRejection.ReasonOf(Rejection);
}
