namespace Resilience.Events;

/// <summary>A timeout policy ended a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The timeout policy.</param>
/// <param name="Timeout">The time allowed.</param>
/// <param name="Attempt">The attempt that was under way, 0 for the first.</param>
/// <param name="IsAbandoned">True when the delegate did not honor its token and was left alone.</param>
public sealed record CallTimedOut(string PipelineName, string PolicyName, TimeSpan Timeout, int Attempt, bool IsAbandoned)
    : ResilienceEvent(PipelineName, PolicyName)
{
    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 5;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (IsAbandoned) return $"timed out after {Timeout} in attempt {AttemptNumber}, which did not honor its token and was abandoned";
        return $"timed out after {Timeout} in attempt {AttemptNumber}";
    }
}
