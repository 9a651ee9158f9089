namespace Resilience.Events;

/// <summary>A hedge was not started, and this call gets no more of them.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The policy.</param>
/// <param name="Running">Attempts that are under way.</param>
/// <param name="Cause">Why not.</param>
public sealed record HedgeSkipped(string PipelineName, string PolicyName, int Running, HedgeSkipReason Cause)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 11;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Detail is { Length: > 0 }) return $"no hedge started beside {Running} in flight ({Cause}): {Detail}";
        return $"no hedge started beside {Running} in flight ({Cause})";
    }

    /// <summary>The reason given to <see cref="ResilienceContext.ForbidRetry"/>, where that decided; otherwise null.</summary>
    public string? Detail { get; init; }
}
