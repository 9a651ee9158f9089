using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>What is said outside of the code about rates, over those of the code.</summary>
internal sealed class ChaosRatesChoice(ChaosRates said)
{
    internal const string Text = "How often each kind is injected, as shares of the calls. Fault, Result and LostReply are at most 1 together.";

    internal static IReadOnlyList<PolicySetting> Settings { get; } = PolicySettings.For<ChaosRatesChoice>()
        .Number(nameof(ChaosRates.Behaviour), null, static (c, v) => c.Rates = c.Rates with { Behaviour = v }, 0, 1,
            "Calls before which the code's own behaviour runs. Default 0.")
        .Number(nameof(ChaosRates.Latency), null, static (c, v) => c.Rates = c.Rates with { Latency = v }, 0, 1, "Calls that begin late. Default 0.")
        .Number(nameof(ChaosRates.Fault), null, static (c, v) => c.Rates = c.Rates with { Fault = v }, 0, 1,
            "Calls that end with an exception instead of being made. Default 0.")
        .Number(nameof(ChaosRates.Result), null, static (c, v) => c.Rates = c.Rates with { Result = v }, 0, 1,
            "Calls that end with a value of the code's instead of being made. Default 0.")
        .Number(nameof(ChaosRates.LostReply), null, static (c, v) => c.Rates = c.Rates with { LostReply = v }, 0, 1,
            "Calls that are made and whose result is thrown away. Default 0.");

    internal ChaosRates Rates { get; private set; } = said;
}
