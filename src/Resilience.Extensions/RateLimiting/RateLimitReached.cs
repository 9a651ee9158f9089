namespace Resilience.Events;

/// <summary>A rate limiter rejected a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The limiter's policy.</param>
/// <param name="Rejection">Why, and until when.</param>
public sealed record RateLimitReached(string PipelineName, string PolicyName, RateLimitRejection Rejection) : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 9;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"call rejected: {reason}";
        return message.With(nameof(Rejection.RetryAfter), Rejection.RetryAfter);
    }
}
