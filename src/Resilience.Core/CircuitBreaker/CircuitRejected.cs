using Resilience.Extensibility;

namespace Resilience.Events;

/// <summary>A circuit breaker rejected a call, or would have rejected it (dry run).</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The breaker.</param>
/// <param name="Entry">Which rejection.</param>
/// <param name="Rejection">Why; null in dry run.</param>
public sealed record CircuitRejected(string PipelineName, string PolicyName, CircuitAdmission Entry, CircuitRejection? Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 4;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Rejection is null) return $"call would have been rejected ({Entry}), dry run";
        string reason = ReasonWithoutNames(Rejection);
        return $"call rejected ({Entry}): {reason}";
    }
}
