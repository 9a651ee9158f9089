using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>How a section of configuration names an adaptive throttle.</summary>
internal static class AdaptiveThrottleConfiguration
{
    internal static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<AdaptiveThrottleOptions>(
        "AdaptiveThrottle", "Rejects a share of the calls at the caller while the dependency is overloaded. An empty group means the default throttle.",
        static (builder, options) => builder.AddAdaptiveThrottle(options))
    {
        Noun = "the throttle",
    };
}
