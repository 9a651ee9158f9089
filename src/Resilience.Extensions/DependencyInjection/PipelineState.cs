namespace Resilience.Extensibility;

/// <summary>The object by which people see and control a policy, and whose it is.</summary>
/// <param name="PipelineName">The name under which the pipeline is registered.</param>
/// <param name="Policy">The policy, by its name and its state.</param>
public readonly record struct PipelineState(string PipelineName, PolicyState Policy)
{
    /// <inheritdoc cref="PolicyState.PolicyName"/>
    public string PolicyName => Policy.PolicyName;

    /// <inheritdoc cref="PolicyState.State"/>
    public object State => Policy.State;
}
