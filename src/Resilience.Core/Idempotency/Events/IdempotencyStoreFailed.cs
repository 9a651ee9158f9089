using Resilience.Idempotency;

namespace Resilience.Events;

/// <summary>The store could not be asked for something for which no caller waits: a renewal, a claim that is given back, a sweep. What callers wait for
/// is told with the answer to them.</summary>
/// <param name="PipelineName">Empty.</param>
/// <param name="PolicyName">The gate.</param>
/// <param name="Task">What it was asked for: <c>renew</c>, <c>release</c>, <c>complete</c>, <c>withdraw</c> or <c>purge</c>.</param>
/// <param name="Error">What the store said.</param>
public sealed record IdempotencyStoreFailed(string PipelineName, string PolicyName, string Task, Exception Error)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 35;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Id is null) return ((EventMessage)$"{What} {NotDone}, because the store failed; {Effect}").With(nameof(Task), Task);
        EventMessage message = $"{What} of record {Id} {NotDone}, because the store failed; {Effect}";
        return message.With(nameof(Task), Task);
    }

    /// <summary>The record, as short as telemetry shows it; null if it belongs to no single one, or is not known here.</summary>
    public string? Id { get; init; }

    private string What => Task switch
    {
        "renew" => "the lease",
        "complete" => "the outcome",
        "release" or "withdraw" => "the claim",
        "purge" => "the expired records",
        _ => $"a task ({Task})",
    };

    private string NotDone => Task switch
    {
        "renew" => "was not renewed",
        "complete" => "was not recorded",
        "release" or "withdraw" => "was not released",
        "purge" => "were not deleted",
        _ => "was not carried out",
    };

    private string Effect => Task switch
    {
        "renew" => "if no later renewal succeeds, it lapses, and another caller may execute the operation as well",
        "complete" => "when its lease lapses, the operation may be executed again",
        "release" or "withdraw" => "callers with this key wait until its lease lapses",
        "purge" => "they stay in the store until a later sweep deletes them",
        _ => "no caller waits for it",
    };

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new("store failed");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: {What} {NotDone}, because the store failed; {Effect}.";

    /// <summary>What kind of fault it was. <see cref="IdempotencyStoreFault.Misconfigured"/> does not pass by itself.</summary>
    public IdempotencyStoreFault? Fault => (Error as IdempotencyStoreException)?.Fault;
}
