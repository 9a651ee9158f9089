namespace Resilience.Events;

/// <summary>A rule of the classifier answered with a verdict that its kind of outcome cannot have: a result with <see cref="Verdict.Rejected"/> or
/// <see cref="Verdict.None"/>, an exception with <see cref="Verdict.Success"/> or <see cref="Verdict.None"/>. The rule is passed over.</summary>
/// <remarks>Told once for each such verdict and kind of outcome, by each pipeline and after each of its updates; every case is counted in
/// <c>resilience.callback.errors</c>. <see cref="ResilienceEvent.PolicyName"/> is <c>classifier</c>.</remarks>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="Answer">What the rule answered.</param>
/// <param name="IsResult">True: it was asked about a result; false: about an exception.</param>
public sealed record RuleVerdictIgnored(string PipelineName, Verdict Answer, bool IsResult)
    : ResilienceEvent(PipelineName, "classifier")
{
    /// <inheritdoc/>
    public override int GetEventId() => 16;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (IsResult) return $"a rule answered {Answer} for a result, which cannot have that verdict; the rule is ignored (logged once)";
        return $"a rule answered {Answer} for an exception, which cannot have that verdict; the rule is ignored (logged once)";
    }
}
