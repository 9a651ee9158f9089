using Resilience.Chaos;

namespace Resilience.Events;

/// <summary>Chaos was turned on or off, its rates were changed, or it was on when the pipeline was built or updated.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The chaos policy.</param>
/// <param name="IsOn">Whether it is on now.</param>
/// <param name="Rates">The rates outside windows with rates of their own.</param>
/// <param name="Seed">The seed, to repeat the run.</param>
/// <param name="For">For how long; null when it has no end.</param>
/// <param name="EnvironmentName">Where.</param>
public sealed record ChaosSwitched(
    string PipelineName, string PolicyName, bool IsOn, ChaosRates Rates, long Seed, TimeSpan? For, string EnvironmentName)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 13;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (!IsOn) return $"chaos is off in {EnvironmentName}";
        if (For is null) return $"chaos is on in {EnvironmentName}: {Rates}, seed {Seed}";
        return $"chaos is on in {EnvironmentName} for {For}: {Rates}, seed {Seed}";
    }

    /// <inheritdoc/>
    public override string GetNewState() => IsOn ? "on" : "off";

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: turned {GetNewState()}.";
}
