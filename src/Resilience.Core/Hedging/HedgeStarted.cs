using System.Diagnostics;

namespace Resilience.Events;

/// <summary>Another attempt starts beside those under way, or after one that failed.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The policy.</param>
/// <param name="Attempt">The attempt that starts, in the numbering of the whole call.</param>
/// <param name="Running">Attempts that are under way already.</param>
/// <param name="Reason">"slow" when the delay was over; otherwise what the attempt before ended with.</param>
public sealed record HedgeStarted(string PipelineName, string PolicyName, int Attempt, int Running, string Reason)
    : ResilienceEvent(PipelineName, PolicyName)
{
    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 10;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Information;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"hedged attempt {AttemptNumber} started beside {Running} in flight ({Reason})";

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.hedges", "{attempt}", "Hedged attempts started, by what they were started for.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.hedge";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add(ResilienceTelemetry.ReasonTag, Reason);

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags) => tags.Add(ResilienceTelemetry.AttemptTag, Attempt);

    /// <summary>Not shown: it is what hedging is for.</summary>
    public override EventGroup? GetGroup() => null;
}
