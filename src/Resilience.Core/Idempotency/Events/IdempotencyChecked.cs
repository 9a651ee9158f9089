using System.Diagnostics;
using System.Text;
using Resilience.Idempotency;

namespace Resilience.Events;

/// <summary>A caller asked to begin an operation.</summary>
/// <param name="PipelineName">Empty: a gate serves many pipelines.</param>
/// <param name="PolicyName">The gate.</param>
/// <param name="Id">The first digits of the record's id.</param>
/// <param name="Status">What he was answered.</param>
/// <param name="Attempt">When claimed: 1, or above 1 for a takeover.</param>
public sealed record IdempotencyChecked(string PipelineName, string PolicyName, string Id, IdempotencyStatus Status, int Attempt)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 30;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => this switch
    {
        { Status: IdempotencyStatus.StoreUnavailable or IdempotencyStatus.Unprotected } => ResilienceEventLevel.Error,
        { Status: IdempotencyStatus.OutcomeUnknown or IdempotencyStatus.Unreadable } or { Attempt: > 1 } => ResilienceEventLevel.Warning,
        _ => ResilienceEventLevel.Debug,
    };

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Attempt > 1)
        {
            EventMessage again =
                $"record {Id}: {Answer} as attempt {Attempt}, because the lease of the one before lapsed; the operation may be executed a second time";
            return again.With(nameof(Status), Status);
        }

        EventMessage message = $"record {Id}: {Answer}";
        return message.With(nameof(Status), Status);
    }

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.idempotency.requests", "{call}", "Calls that asked to begin an operation, by answer.");

    private string Answer => Status switch
    {
        IdempotencyStatus.Claimed => "claimed",
        IdempotencyStatus.Replayed => "answered with the first outcome",
        IdempotencyStatus.InFlight => "the same operation is in flight",
        IdempotencyStatus.KeyReused => "the key was used for a different operation",
        IdempotencyStatus.OutcomeUnknown => "the outcome of the first execution is unknown",
        IdempotencyStatus.Unreadable => "the stored outcome cannot be read",
        IdempotencyStatus.Unprotected => "executed without protection, because the store failed",
        IdempotencyStatus.Stopping => "not begun, because the host is stopping",
        _ => "the store failed",
    };

    private protected override bool HasPipelineTag => false;

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.idempotency";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add("resilience.idempotency.status", Status switch
    {
        IdempotencyStatus.Claimed => "claimed",
        IdempotencyStatus.Replayed => "replayed",
        IdempotencyStatus.InFlight => "in_flight",
        IdempotencyStatus.KeyReused => "key_reused",
        IdempotencyStatus.OutcomeUnknown => "outcome_unknown",
        IdempotencyStatus.Unreadable => "unreadable",
        IdempotencyStatus.Unprotected => "unprotected",
        IdempotencyStatus.Stopping => "stopping",
        _ => "store_unavailable",
    });

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags) => tags.Add("resilience.idempotency.id", Id);

    /// <summary>Not shown where the gate did what it is for.</summary>
    public override EventGroup? GetGroup() =>
        Status is IdempotencyStatus.Claimed or IdempotencyStatus.Replayed ? null : new($"idempotency {Status}");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: {Answer}.";

    /// <summary>Unavailable, unprotected or unreadable: what the store said; otherwise null.</summary>
    public Exception? Error { get; init; }

    /// <summary>What kind of fault it was; null when there was no <see cref="Error"/>. <see cref="IdempotencyStoreFault.Misconfigured"/> does not pass
    /// by itself.</summary>
    public IdempotencyStoreFault? Fault => (Error as IdempotencyStoreException)?.Fault;

    /// <summary>For <see cref="object.ToString"/>: the error with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append($", {nameof(Id)} = {Id}, {nameof(Status)} = {Status}, {nameof(Attempt)} = {Attempt}");
        builder.Append($", {nameof(Error)} = {Safely.TextOf(Error)}, {nameof(Fault)} = {Fault}");
        return true;
    }
}
