using System.Diagnostics;

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
    /// <summary>The reason as a part of a sentence, with its counts; from the cause alone if the event was made without one.</summary>
    internal string Because
    {
        get => field is { Length: > 0 } ? field : Detail ?? WordsOf(Cause);
        init;
    } = "";

    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 2;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage() =>
        ((EventMessage)$"attempt {AttemptNumber} failed ({Reason}) and is not retried: {Because}").With(nameof(Cause), Cause);

    private static string WordsOf(RetryStopReason cause) => cause switch
    {
        RetryStopReason.Attempts => "all attempts are used up",
        RetryStopReason.Marked => RetryExplanation.Marked,
        RetryStopReason.Deadline => "the wait would end after the deadline",
        RetryStopReason.RetryAfter => "a longer wait was asked for than MaxRetryAfter allows",
        RetryStopReason.Permanent => RetryExplanation.Permanent,
        RetryStopReason.Budget => "the retry budget is spent",
        _ => RetryExplanation.NotAllowed,
    };

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.retry.stopped", "{retry}", "Failures that were not retried, by reason.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.retry.stopped";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add(ResilienceTelemetry.ReasonTag, Cause switch
    {
        RetryStopReason.Attempts => "attempts",
        RetryStopReason.NotAllowed => "not_allowed",
        RetryStopReason.Marked => "marked",
        RetryStopReason.Deadline => "deadline",
        RetryStopReason.RetryAfter => "retry_after",
        RetryStopReason.Permanent => "permanent",
        _ => "budget",
    });

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags) => tags.Add(ResilienceTelemetry.ExplanationTag, Explanation);

    /// <summary>Shown where the pipeline held back a retry that could have been made.</summary>
    public override EventGroup? GetGroup() => Cause switch
    {
        RetryStopReason.Budget => new("no budget"),
        RetryStopReason.Deadline => new("no time"),
        RetryStopReason.RetryAfter => new("asked to wait too long"),
        _ => null,
    };

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => Cause switch
    {
        RetryStopReason.Budget => $"{PolicyName}: not repeated, the retry budget is spent ({Reason}).",
        RetryStopReason.RetryAfter => $"{PolicyName}: not repeated, a longer wait was asked for than is allowed ({Reason}).",
        _ => $"{PolicyName}: not repeated, a retry would not fit into the time that is left ({Reason}).",
    };

    /// <summary>The reason given to <see cref="ResilienceContext.ForbidRetry"/>, where that decided; otherwise null.</summary>
    public string? Detail { get; init; }

    /// <summary>One sentence for a human: which policy did not repeat the attempt and why, with the counts; what the caller gets; and what
    /// would have to change. Made from <see cref="Cause"/> alone if the event was made without one.</summary>
    public string Explanation
    {
        get => field is { Length: > 0 }
            ? field
            : $"{(PipelineName.Length == 0 ? "" : PipelineName + "/")}{PolicyName}: {GetMessage()}; the caller gets this outcome.";
        init;
    } = "";
}
