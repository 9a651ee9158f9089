using Resilience.Chaos;

namespace Resilience.Configuration;

/// <summary>What configuration may say about the rates of chaos.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record ChaosRatesSettings
{
    /// <inheritdoc cref="ChaosRates.Behaviour"/>
    public double? Behaviour { get; set; }

    /// <inheritdoc cref="ChaosRates.Latency"/>
    public double? Latency { get; set; }

    /// <inheritdoc cref="ChaosRates.Fault"/>
    public double? Fault { get; set; }

    /// <inheritdoc cref="ChaosRates.Result"/>
    public double? Result { get; set; }

    /// <inheritdoc cref="ChaosRates.LostReply"/>
    public double? LostReply { get; set; }

    internal ChaosRates Over(ChaosRates said) => new()
    {
        Behaviour = Behaviour ?? said.Behaviour,
        Latency = Latency ?? said.Latency,
        Fault = Fault ?? said.Fault,
        Result = Result ?? said.Result,
        LostReply = LostReply ?? said.LostReply,
    };
}
