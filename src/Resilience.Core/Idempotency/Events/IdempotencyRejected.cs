using System.Diagnostics;
using Resilience.Idempotency;

namespace Resilience.Events;

/// <summary>A call was not executed, and no outcome could be given instead.</summary>
/// <param name="PipelineName">The pipeline, empty where a gate is used alone.</param>
/// <param name="PolicyName">The policy, or the gate that is used alone.</param>
/// <param name="Rejection">Why, and which record it was about.</param>
public sealed record IdempotencyRejected(string PipelineName, string PolicyName, IdempotencyRejection Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 15;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"call rejected: {reason}";
        return message.With(nameof(Rejection.Why), Rejection.Why);
    }

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new(
        "resilience.idempotency.rejections", "{call}", "Calls that were neither executed nor answered with an outcome, by reason.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override Rejection GetRejection() => Rejection;

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add(ResilienceTelemetry.ReasonTag, Rejection.Why switch
    {
        IdempotencyRejectionReason.KeyMissing => "key_missing",
        IdempotencyRejectionReason.KeyReused => "key_reused",
        IdempotencyRejectionReason.InFlight => "in_flight",
        IdempotencyRejectionReason.OutcomeUnknown => "outcome_unknown",
        IdempotencyRejectionReason.ResultNotKept => "result_not_kept",
        IdempotencyRejectionReason.Unreadable => "unreadable",
        IdempotencyRejectionReason.ClaimLost => "claim_lost",
        IdempotencyRejectionReason.Stopping => "stopping",
        _ => "store_unavailable",
    });

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new($"rejected {Rejection.Why}", IsRejection: true);

    /// <summary>Without the record and without what the store said, unlike the rejection's own sentence.</summary>
    public override string GetSummary(bool withKeys) => Rejection.Why switch
    {
        IdempotencyRejectionReason.KeyMissing => $"{PolicyName}: the call has no key.",
        IdempotencyRejectionReason.KeyReused => $"{PolicyName}: the key was used for a different operation.",
        IdempotencyRejectionReason.InFlight => $"{PolicyName}: the same operation is in flight.",
        IdempotencyRejectionReason.OutcomeUnknown => $"{PolicyName}: the operation was begun before and its outcome is unknown.",
        IdempotencyRejectionReason.ResultNotKept => $"{PolicyName}: the operation was carried out before, but its result was not kept.",
        IdempotencyRejectionReason.Unreadable => $"{PolicyName}: the stored outcome cannot be read.",
        IdempotencyRejectionReason.StoreUnavailable => $"{PolicyName}: the store cannot be asked.",
        IdempotencyRejectionReason.Stopping => $"{PolicyName}: the host is stopping.",
        _ => $"{PolicyName}: the claim was lost while the call ran.",
    };
}
