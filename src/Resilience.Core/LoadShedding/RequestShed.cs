using System.Diagnostics;
using Resilience.Overload;

namespace Resilience.Events;

/// <summary>A server rejected a request to protect those that it serves, or would have without <see cref="LoadShedderOptions.DryRun"/>.</summary>
/// <param name="PipelineName">Empty: it belongs to none.</param>
/// <param name="PolicyName">The load shedder.</param>
/// <param name="Rejection">Why.</param>
/// <param name="IsDryRun">Whether the request was served all the same.</param>
public sealed record RequestShed(string PipelineName, string PolicyName, ShedRejection Rejection, bool IsDryRun) : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new(
        "resilience.server.sheds", "{request}", "Requests that a server rejected to protect others; in a dry run those that it would have.");

    /// <inheritdoc/>
    public override int GetEventId() => 65;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"{reason}";
        if (IsDryRun) message = $"in a dry run, so it was served: {reason}";
        return message.With(nameof(Rejection.Criticality), Rejection.Criticality).With(nameof(Rejection.Why), Rejection.Why);
    }

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override Rejection GetRejection() => Rejection;

    /// <summary>In a dry run nothing happened to the request, so its span is not told.</summary>
    public override string? GetSpanEventName() => IsDryRun ? null : base.GetSpanEventName();

    /// <summary>It serves no pipeline.</summary>
    private protected override bool HasPipelineTag => false;

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags)
    {
        tags.Add("resilience.reason", ShedNames.Of(Rejection.Why));
        tags.Add("resilience.criticality", CriticalityNames.Of(Rejection.Criticality));
        if (IsDryRun) tags.Add("resilience.dry_run", true);
    }

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new($"{ShedNames.Of(Rejection.Why)} {CriticalityNames.Of(Rejection.Criticality)}", IsRejection: !IsDryRun);

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => SafeRejection.ReasonOf(Rejection);
}
