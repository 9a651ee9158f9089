
namespace Resilience.Events;

/// <summary>A server has rejected nothing for ten seconds.</summary>
/// <param name="PipelineName">Empty: it belongs to none.</param>
/// <param name="PolicyName">The load shedder.</param>
/// <param name="Rejected">How many requests it rejected since it began.</param>
/// <param name="Lasted">From the first to the last.</param>
/// <param name="IsDryRun">Whether they were served all the same.</param>
public sealed record SheddingEnded(string PipelineName, string PolicyName, long Rejected, TimeSpan Lasted, bool IsDryRun)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 67;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Information;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (IsDryRun) return $"would reject no requests any more; it would have rejected {Rejected} within {Lasted}";
        return $"rejects no requests any more; it rejected {Rejected} within {Lasted}";
    }

    /// <inheritdoc/>
    public override string GetNewState() => "serves all";

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: {GetMessage()}.";
}
