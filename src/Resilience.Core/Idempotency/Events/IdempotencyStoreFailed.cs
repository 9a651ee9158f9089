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
    public override EventMessage GetMessage() => $"the store could not {Task}";

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new("store failed");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: the store could not be asked to {Task}.";

    /// <summary>What kind of fault it was. <see cref="IdempotencyStoreFault.Misconfigured"/> does not pass by itself.</summary>
    public IdempotencyStoreFault? Fault => (Error as IdempotencyStoreException)?.Fault;
}
