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
        return $"call rejected ({Rejection.Why}): {reason}";
    }
}
