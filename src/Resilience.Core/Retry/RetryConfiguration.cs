using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a section of configuration names a retry.</summary>
internal static class RetryConfiguration
{
    internal static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<RetryOptions>(
        "Retry", "How failures are repeated. An empty group means the default retry.",
        static (builder, options) => builder.AddRetry(options))
    {
        Noun = "the retry",
    };
}
