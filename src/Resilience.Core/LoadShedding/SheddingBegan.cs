using Resilience.Overload;

namespace Resilience.Events;

/// <summary>A server began to reject requests: the first after ten seconds without.</summary>
/// <param name="PipelineName">Empty: it belongs to none.</param>
/// <param name="PolicyName">The load shedder.</param>
/// <param name="Rejection">Why the first was rejected.</param>
/// <param name="IsDryRun">Whether it was served all the same.</param>
public sealed record SheddingBegan(string PipelineName, string PolicyName, ShedRejection Rejection, bool IsDryRun)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 66;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"begins to reject requests: {reason}";
        if (IsDryRun) message = $"would begin to reject requests, but for the dry run: {reason}";
        return message.With(nameof(Rejection.Why), Rejection.Why);
    }

    /// <inheritdoc/>
    public override string GetNewState() => IsDryRun ? "would shed" : "sheds";

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys)
    {
        string begins = IsDryRun ? "Would begin to reject requests, but for the dry run." : "Begins to reject requests.";
        return $"{begins} {SafeRejection.ReasonOf(Rejection)}";
    }
}
