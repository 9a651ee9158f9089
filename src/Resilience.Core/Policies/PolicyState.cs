namespace Resilience.Extensibility;

/// <summary>The object by which people see and control a policy.</summary>
/// <param name="PolicyName">The name of the policy.</param>
/// <param name="State">A <see cref="CircuitBreaker"/>, <see cref="RetryBudget"/>, <see cref="ConcurrencyLimit"/>, or what a policy of yours shows.</param>
public readonly record struct PolicyState(string PolicyName, object State);
