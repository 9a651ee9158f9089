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
        if (Attempt > 1) return $"record {Id} is {Status}, attempt {Attempt} after one that lapsed";
        return $"record {Id} is {Status}";
    }

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
