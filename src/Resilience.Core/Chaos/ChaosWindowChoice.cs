using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>What is said outside of the code about a window of the schedule. A kind that is absent from its rates is not injected.</summary>
internal sealed class ChaosWindowChoice
{
    internal static IReadOnlyList<PolicySetting> Settings { get; } = PolicySettings.For<ChaosWindowChoice>()
        .Span(nameof(ChaosWindow.From), null, static (c, v) => c.Window = c.Window with { From = v }, TimeSpan.Zero, null, "When it begins. Default 00:00:00.")
        .Span(nameof(ChaosWindow.Length), null, static (c, v) => c.Window = c.Window with { Length = v }, TimeSpan.Zero, null,
            "How long it lasts, at least 1 ms. Default 00:01:00.")
        .Group(nameof(ChaosWindow.Rates), static _ => new ChaosRatesChoice(default), ChaosRatesChoice.Settings, ChaosRatesChoice.Text,
            static (c, rates) => c.Window = c.Window with { Rates = rates.Rates });

    internal ChaosWindow Window { get; private set; } = new();
}
