using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Resilience.Chaos;
using Resilience.Idempotency;

namespace Resilience.Extensibility;

/// <summary>The policies that come with the library, a line for each: the one place outside of its folder that knows of one.</summary>
/// <remarks>Above all floors, so that no floor has to know what stands on it.</remarks>
public static class StandardPolicies
{
    /// <summary>Those that a section of configuration can name, outermost first.</summary>
    public static IReadOnlyList<ConfigurablePolicy> Configurable { get; } =
    [
        TimeoutConfiguration.OfCall,
        RetryConfiguration.Policy,
        HedgingConfiguration.Policy,
        EndpointsConfiguration.Policy,
        AdaptiveThrottleConfiguration.Policy,
        CircuitBreakerConfiguration.Policy,
        ConcurrencyLimitConfiguration.Policy,
        AdaptiveConcurrencyLimitConfiguration.Policy,
        TimeoutConfiguration.OfAttempt,
        ChaosConfiguration.Policy,
    ];

    /// <summary>The one of a key.</summary>
    /// <exception cref="ArgumentException">None has it.</exception>
    public static ConfigurablePolicy Get(string key) => Configurable.FirstOrDefault(p => string.Equals(p.Key, key, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException($"No standard policy is called '{key}'.", nameof(key));

    /// <summary>The rules of the order, by the role that they are about: they hold for every policy of that role, ours or not.</summary>
    internal static IReadOnlyDictionary<PolicyRole, Action<OrderCheck>> OrderRules { get; } = new Dictionary<PolicyRole, Action<OrderCheck>>
    {
        [PolicyRole.Timeout] = TimeoutOrder.Check,
        [PolicyRole.Retry] = RetryOrder.Check,
        [PolicyRole.CircuitBreaker] = CircuitBreakerOrder.Check,
        [PolicyRole.Fallback] = FallbackOrder.Check,
        [PolicyRole.ConcurrencyLimit] = LimitOrder.CheckConcurrency,
        [PolicyRole.RateLimit] = LimitOrder.CheckRate,
        [PolicyRole.Hedging] = HedgingOrder.Check,
        [PolicyRole.Idempotency] = IdempotencyOrder.Check,
        [PolicyRole.Chaos] = ChaosOrder.Check,
        [PolicyRole.Throttle] = ThrottleOrder.Check,
    };

    /// <summary>Hands the rules down to the floor that runs them. It sets one field of this assembly, so it does not matter when among others
    /// of the kind it runs.</summary>
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255:The 'ModuleInitializer' attribute should not be used in libraries", Justification = "It sets one field of our own.")]
    internal static void HandDown() => PipelineOrder.RulesOfRoles = OrderRules;
}
