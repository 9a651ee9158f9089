namespace Resilience.Events;

/// <summary>An endpoint that was left out has answered again, and is used with a weight that grows.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The set of endpoints.</param>
/// <param name="Index">Its place in the list, from 0; -1: it has left the list.</param>
public sealed record EndpointReadmitted(string PipelineName, string PolicyName, int Index) : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.endpoint.readmissions", "{readmission}", "Endpoints that came back after they were left out.");

    private int Number => Index + 1; // people count from one

    /// <inheritdoc cref="EndpointEjected.Address"/>
    public Uri? Address { get; init; }

    /// <inheritdoc/>
    public override int GetEventId() => 51;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Information;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"endpoint {Number} has answered and is used again";

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;
}
