using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a section of configuration names a concurrency limit.</summary>
internal static class ConcurrencyLimitConfiguration
{
    internal static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<ConcurrencyLimitOptions>(
        "ConcurrencyLimit", "How many calls may run at once. An empty group means the default limit.",
        static (builder, options) => builder.AddConcurrencyLimit(options))
    {
        Noun = "the limit",
    };
}
