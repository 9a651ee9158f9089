using System.Diagnostics;
using Resilience.Overload;

namespace Resilience.Events;

/// <summary>An endpoint is left out for a time.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The set of endpoints.</param>
/// <param name="Index">Its place in the list, from 0; -1: it has left the list.</param>
/// <param name="Reason">Why.</param>
/// <param name="Duration">For how long.</param>
public sealed record EndpointEjected(string PipelineName, string PolicyName, int Index, EjectionReason Reason, TimeSpan Duration)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.endpoint.ejections", "{ejection}", "Endpoints that were left out for a time, by reason.");

    private int Number => Index + 1; // people count from one

    /// <summary>Its address: for listeners, and in no log, metric or page, because addresses may be confidential and are too many for a metric.</summary>
    public Uri? Address { get; init; }

    /// <inheritdoc/>
    public override int GetEventId() => 50;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        EventMessage message = $"endpoint {Number} is left out for {Duration} {Because}";
        return message.With(nameof(Reason), Reason);
    }

    private string Because => Reason switch
    {
        EjectionReason.ConsecutiveFailures => "after failures in a row",
        EjectionReason.FailureShare => "because too many of its calls fail",
        EjectionReason.Slow => "because it is much slower than the others",
        _ => "because it failed again",
    };

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add(ResilienceTelemetry.ReasonTag, Reason switch
    {
        EjectionReason.ConsecutiveFailures => "consecutive_failures",
        EjectionReason.FailureShare => "failure_share",
        EjectionReason.Slow => "slow",
        _ => "failed_again",
    });

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new($"ejected {Reason}");
}
