namespace Resilience.Events;

/// <summary>An attempt failed and will be repeated after a wait.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The policy.</param>
/// <param name="Attempt">The attempt that failed, 0 for the first.</param>
/// <param name="Delay">The wait to come.</param>
/// <param name="Reason">What the attempt ended with: the type of the exception or rejection, or "result".</param>
/// <param name="AskedFor">Whether the wait was asked for by the server (or a policy that rejected) rather than computed.</param>
public sealed record RetryScheduled(string PipelineName, string PolicyName, int Attempt, TimeSpan Delay, string Reason, bool AskedFor)
    : ResilienceEvent(PipelineName, PolicyName)
{
    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 1;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"attempt {AttemptNumber} failed ({Reason}); next attempt in {Delay}";
}
