using System.Diagnostics;

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

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.timeouts", "{timeout}", "Calls or attempts that a timeout policy ended, by reason.");

    /// <summary>True when it was not the policy's own limit that ended the call, but the deadline of its caller.</summary>
    public bool IsDeadline { get; init; }

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.timeout";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) =>
        tags.Add(ResilienceTelemetry.ReasonTag, IsAbandoned ? "abandoned" : IsDeadline ? "deadline" : "timeout");

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags) => tags.Add("resilience.timeout.limit", Timeout.TotalSeconds);

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new("timeout");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) =>
        $"{PolicyName}: ended after {TimeText.Of(Timeout)}{(IsAbandoned ? ", and the call was left running" : "")}.";
}
