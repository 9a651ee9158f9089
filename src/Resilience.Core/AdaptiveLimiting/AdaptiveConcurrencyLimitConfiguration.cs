using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>How a section of configuration names an adaptive concurrency limit.</summary>
internal static class AdaptiveConcurrencyLimitConfiguration
{
    internal static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<AdaptiveConcurrencyLimitOptions>(
        "AdaptiveConcurrencyLimit", "How many calls may run at once, as the limit finds out. An empty group means the default limit.",
        static (builder, options) => builder.AddAdaptiveConcurrencyLimit(options))
    {
        Noun = "the limit",
    };
}
