using System.Diagnostics;

namespace Resilience.Events;

/// <summary>A concurrency limit rejected a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The limit.</param>
/// <param name="Rejection">Why.</param>
public sealed record LimitReached(string PipelineName, string PolicyName, LimitRejection Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 8;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"call rejected: {reason}";
        return message.With(nameof(Rejection.Why), Rejection.Why);
    }

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.concurrency_limit.rejections", "{call}", "Calls rejected, by reason.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override Rejection GetRejection() => Rejection;

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) =>
        tags.Add(ResilienceTelemetry.ReasonTag, Rejection.Why == LimitReason.QueueFull ? "queue_full" : "waited_too_long");

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new(Rejection.Why == LimitReason.QueueFull ? "rejected full" : "rejected waited", IsRejection: true);

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => SafeRejection.ReasonOf(Rejection);
}
