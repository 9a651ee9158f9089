using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>How a section of configuration names chaos.</summary>
internal static class ChaosConfiguration
{
    internal static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<ChaosOptions>(
        "Chaos", "Faults injected on purpose, innermost. Wrong in an environment in which chaos is not allowed, unless Enabled is false.",
        static (builder, options) => builder.AddChaos(options))
    {
        Noun = "chaos",
    };
}
