using System.Diagnostics;

namespace Resilience.Events;

/// <summary>A hedge answered before the attempts that began earlier.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The policy.</param>
/// <param name="Attempt">The attempt that won, in the numbering of the whole call.</param>
/// <param name="Cancelled">Attempts that were still under way and have been cancelled.</param>
public sealed record HedgeWon(string PipelineName, string PolicyName, int Attempt, int Cancelled)
    : ResilienceEvent(PipelineName, PolicyName)
{
    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 12;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"hedged attempt {AttemptNumber} won; {Cancelled} cancelled";

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.hedge.wins", "{call}", "Calls in which a hedged attempt answered first.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.hedge.won";

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags) => tags.Add(ResilienceTelemetry.AttemptTag, Attempt);

    /// <summary>Not shown: it is what hedging is for.</summary>
    public override EventGroup? GetGroup() => null;
}
