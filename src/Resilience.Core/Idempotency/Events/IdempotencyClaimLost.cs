using System.Diagnostics;

namespace Resilience.Events;

/// <summary>A claim was lost while its call was running: another caller may execute the operation as well.</summary>
/// <param name="PipelineName">Empty.</param>
/// <param name="PolicyName">The gate.</param>
/// <param name="Id">The first digits of the record's id.</param>
/// <param name="Fence">The fence of the lost claim.</param>
public sealed record IdempotencyClaimLost(string PipelineName, string PolicyName, string Id, long Fence)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 31;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage() =>
        $"the claim of record {Id} (fence {Fence}) was lost while its call was running; another caller may execute it as well";

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new(
        "resilience.idempotency.claims.lost", "{claim}", "Claims that were lost while their call was running.");

    private protected override bool HasPipelineTag => false;

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.idempotency.claim_lost";

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags) => tags.Add("resilience.idempotency.id", Id);

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new("claim lost");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: a claim was lost while its call ran.";

    /// <summary>Why the lease could not be renewed; null when the store said that the claim is gone.</summary>
    public Exception? Error { get; init; }
}
