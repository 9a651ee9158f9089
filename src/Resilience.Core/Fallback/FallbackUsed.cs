namespace Resilience.Events;

/// <summary>A fallback replaced an outcome.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The fallback.</param>
/// <param name="Replaced">The verdict that was replaced.</param>
/// <param name="Source">Where the substitute came from.</param>
/// <param name="Age">For a last good value: how old it is.</param>
public sealed record FallbackUsed(string PipelineName, string PolicyName, Verdict Replaced, FallbackSource Source, TimeSpan? Age)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 6;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Age is null) return $"fallback used in place of an outcome that was {Replaced}, from {Source}";
        return $"fallback used in place of an outcome that was {Replaced}, from {Source}, {Age} old";
    }
}
