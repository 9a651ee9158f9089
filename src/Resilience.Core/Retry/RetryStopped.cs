namespace Resilience.Events;

/// <summary>An attempt failed and will not be repeated.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The policy.</param>
/// <param name="Attempt">The attempt that failed, 0 for the first.</param>
/// <param name="Cause">Why not.</param>
/// <param name="Reason">What the attempt ended with: the type of the exception or rejection, or "result".</param>
public sealed record RetryStopped(string PipelineName, string PolicyName, int Attempt, RetryStopReason Cause, string Reason)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>The reason as a part of a sentence; null if the event was made without one.</summary>
    internal string? Because { get; init; }

    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 2;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Because is { Length: > 0 }) return $"attempt {AttemptNumber} failed ({Reason}) and is not retried ({Cause}): {Because}";
        return $"attempt {AttemptNumber} failed ({Reason}) and is not retried ({Cause})";
    }

    /// <summary>The reason given to <see cref="ResilienceContext.ForbidRetry"/>, where that decided; otherwise null.</summary>
    public string? Detail { get; init; }

    /// <summary>One sentence for a human: which policy did not repeat the attempt and why, with the counts; what the caller gets; and what
    /// would have to change. Empty if the event was made without one.</summary>
    public string Explanation { get; init; } = "";
}
