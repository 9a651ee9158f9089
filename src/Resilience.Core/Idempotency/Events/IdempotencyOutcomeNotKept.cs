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
    public override EventMessage GetMessage() => $"the outcome of record {Id} was not recorded ({Finish})";

    /// <summary>For <see cref="object.ToString"/>: the error with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append($", {nameof(Id)} = {Id}, {nameof(Finish)} = {Finish}, {nameof(Error)} = {Safely.TextOf(Error)}");
        return true;
    }
}
