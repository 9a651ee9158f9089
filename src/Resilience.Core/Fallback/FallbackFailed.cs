using System.Text;

namespace Resilience.Events;

/// <summary>A substitute call threw: the fixed value takes its place, or the outcome stands that it should have replaced.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The fallback.</param>
/// <param name="Kept">The verdict that it should have replaced.</param>
/// <param name="Error">What the substitute threw.</param>
public sealed record FallbackFailed(string PipelineName, string PolicyName, Verdict Kept, Exception Error)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 7;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Error;

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"fallback failed; the outcome ({Kept}) stays";

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new("fallback failed");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: the substitute failed ({Error.GetType().Name}).";

    /// <summary>For <see cref="object.ToString"/>: the error with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append($", {nameof(Kept)} = {Kept}, {nameof(Error)} = {Safely.TextOf(Error)}");
        return true;
    }
}
