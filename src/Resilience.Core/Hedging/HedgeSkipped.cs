using System.Diagnostics;

namespace Resilience.Events;

/// <summary>A hedge was not started, and this call gets no more of them.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The policy.</param>
/// <param name="Running">Attempts that are under way.</param>
/// <param name="Cause">Why not.</param>
public sealed record HedgeSkipped(string PipelineName, string PolicyName, int Running, HedgeSkipReason Cause)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 11;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() =>
        Cause is HedgeSkipReason.Sheddable or HedgeSkipReason.NotWanted ? ResilienceEventLevel.Debug : ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Detail is { Length: > 0 }) return ((EventMessage)$"no hedge started beside {Running} in flight {Because}: {Detail}").With(nameof(Cause), Cause);
        EventMessage message = $"no hedge started beside {Running} in flight {Because}";
        return message.With(nameof(Cause), Cause);
    }

    private string Because => Cause switch
    {
        HedgeSkipReason.NotAllowed => "because an attempt forbade to be repeated",
        HedgeSkipReason.Marked => "because a policy below has given up",
        HedgeSkipReason.Deadline => "because the deadline is over",
        HedgeSkipReason.Sheddable => "because the call is sheddable",
        HedgeSkipReason.NotWanted => "because CanHedge said no",
        HedgeSkipReason.Overloaded => "because the dependency is overloaded",
        _ => "because the retry budget is spent",
    };

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.hedge.skipped", "{attempt}", "Hedged attempts that were due and not started, by reason.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.hedge.skipped";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add(ResilienceTelemetry.ReasonTag, Cause switch
    {
        HedgeSkipReason.NotAllowed => "not_allowed",
        HedgeSkipReason.Marked => "marked",
        HedgeSkipReason.Deadline => "deadline",
        HedgeSkipReason.Sheddable => "sheddable",
        HedgeSkipReason.NotWanted => "not_wanted",
        HedgeSkipReason.Overloaded => "overloaded",
        _ => "budget",
    });

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new($"no hedge {Cause}");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: no second attempt beside the first {Because}.";

    /// <summary>The reason given to <see cref="ResilienceContext.ForbidRetry"/>, where that decided; otherwise null.</summary>
    public string? Detail { get; init; }
}
