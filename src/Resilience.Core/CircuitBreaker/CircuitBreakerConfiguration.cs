using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a section of configuration names a circuit breaker.</summary>
internal static class CircuitBreakerConfiguration
{
    internal static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<CircuitBreakerOptions>(
        "CircuitBreaker", "When calls stop because the dependency fails. An empty group means the default circuit breaker.",
        static (builder, options) => builder.AddCircuitBreaker(options))
    {
        Noun = "the circuit breaker",
    };
}
