using System.Diagnostics;
using System.Text;
using Resilience.Idempotency;

namespace Resilience.Events;

/// <summary>An outcome could not be recorded.</summary>
/// <param name="PipelineName">Empty.</param>
/// <param name="PolicyName">The gate.</param>
/// <param name="Id">The first digits of the record's id.</param>
/// <param name="Finish">Lost, or the store failed.</param>
/// <param name="Error">What the store said.</param>
public sealed record IdempotencyOutcomeNotKept(string PipelineName, string PolicyName, string Id, IdempotencyFinish Finish, Exception? Error)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 32;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Error;

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => ((EventMessage)$"the outcome of record {Id} was not recorded, {Because}").With(nameof(Finish), Finish);

    internal const string CompletionTag = "resilience.idempotency.completion";

    /// <summary>Counts the ends of claims, these and those that went well.</summary>
    public static EventMetric Metric { get; } = new("resilience.idempotency.completions", "{claim}", "Claims that ended, by how.");

    private string Because => Finish == IdempotencyFinish.Lost ? "because the claim was lost" : "because the store failed";

    private protected override bool HasPipelineTag => false;

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.idempotency.not_kept";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add(CompletionTag, Finish == IdempotencyFinish.Lost ? "stale" : "store_failed");

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags) => tags.Add("resilience.idempotency.id", Id);

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new("outcome not recorded");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: an outcome was not recorded, {Because}.";

    /// <summary>For <see cref="object.ToString"/>: the error with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append($", {nameof(Id)} = {Id}, {nameof(Finish)} = {Finish}, {nameof(Error)} = {Safely.TextOf(Error)}");
        return true;
    }
}
