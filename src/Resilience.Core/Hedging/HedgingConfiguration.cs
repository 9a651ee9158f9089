using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a section of configuration names hedging.</summary>
internal static class HedgingConfiguration
{
    internal static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<HedgingOptions>(
        "Hedging", "When a second attempt runs beside a slow first one. An empty group means the default hedging.",
        static (builder, options) => builder.AddHedging(options))
    {
        Noun = "the hedging",
    };
}
