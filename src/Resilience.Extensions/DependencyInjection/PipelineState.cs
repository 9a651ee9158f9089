namespace Resilience.Extensibility;

/// <summary>The object by which people see and control a policy, and whose it is.</summary>
/// <param name="PipelineName">The name under which the pipeline is registered.</param>
/// <param name="PolicyName">The name of the policy.</param>
/// <param name="State">A <see cref="CircuitBreaker"/>, <see cref="RetryBudget"/>, <see cref="ConcurrencyLimit"/>, or what a policy of yours shows.</param>
public readonly record struct PipelineState(string PipelineName, string PolicyName, object State);
