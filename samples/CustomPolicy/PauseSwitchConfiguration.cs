using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

public static class PauseSwitchConfiguration
{
    /// <summary>For <c>AddConfigurablePolicy</c>: what a section says under <c>PauseSwitch</c>.</summary>
    public static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<PauseSwitchOptions>(
        "PauseSwitch", "A switch by which a person stops all calls for a while.", static (builder, options) => builder.AddPauseSwitch(options))
    {
        Noun = "the switch",
    };
}
