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
        return $"call rejected ({Rejection.Why}): {reason}";
    }
}
