using System.Diagnostics;
using Resilience.Extensibility;

namespace Resilience.Events;

/// <summary>A circuit breaker rejected a call, or would have rejected it (dry run).</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The breaker.</param>
/// <param name="Entry">Which rejection.</param>
/// <param name="Rejection">Why; null in dry run.</param>
public sealed record CircuitRejected(string PipelineName, string PolicyName, CircuitAdmission Entry, CircuitRejection? Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 4;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Rejection is null) return ((EventMessage)$"call would have been rejected (dry run)").With(nameof(Entry), Entry);
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"call rejected: {reason}";
        return message.With(nameof(Entry), Entry);
    }

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new(
        "resilience.circuit_breaker.rejections", "{call}", "Calls rejected, by reason; in dry run, calls that would have been rejected.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override Rejection? GetRejection() => Rejection;

    /// <inheritdoc/>
    public override string GetSpanEventName() => SpanEvents.Rejected; // in dry run too

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add(ResilienceTelemetry.ReasonTag, Entry switch
    {
        CircuitAdmission.AdmittedInDryRun => "dry_run",
        CircuitAdmission.RejectedOpen => "open",
        CircuitAdmission.RejectedProbesTaken => "probes_taken",
        CircuitAdmission.RejectedRamping => "ramping",
        _ => "isolated",
    });

    /// <summary>The rejections of one break belong together: their sentences differ in how long it still takes.</summary>
    public override EventGroup? GetGroup() => new(
        Entry switch
        {
            CircuitAdmission.RejectedOpen => "rejected open",
            CircuitAdmission.RejectedProbesTaken => "rejected probes taken",
            CircuitAdmission.RejectedRamping => "rejected ramping",
            CircuitAdmission.RejectedIsolated => "rejected isolated",
            _ => "rejected dry run",
        },
        IsRejection: true,
        Rejection?.Since?.UtcTicks ?? 0);

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => Rejection is null
        ? $"{PolicyName}: would have rejected (dry run)."
        : withKeys || !Rejection.NamesKey ? SafeRejection.ReasonOf(Rejection)
        : $"{PolicyName}: the circuit of a key is {CircuitNames.Of(Rejection.State)} because {Rejection.Cause}.";
}
