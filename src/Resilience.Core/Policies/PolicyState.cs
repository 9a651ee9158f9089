namespace Resilience.Extensibility;

/// <summary>The object by which people see and control a policy.</summary>
/// <param name="PolicyName">The name of the policy.</param>
/// <param name="State">A <see cref="CircuitBreaker"/>, <see cref="RetryBudget"/>, <see cref="ConcurrencyLimit"/>, or what a policy of yours shows.</param>
public readonly record struct PolicyState(string PolicyName, object State)
{
    /// <summary>Says how it is; by default the <see cref="State"/>, if it can.</summary>
    internal IPolicyStatus? Source { get; init; } = State as IPolicyStatus;

    /// <summary>How it is now; null when it does not say. What it throws is counted, and the answer says that it could not be read.</summary>
    public PolicyStatus? ReadStatus()
    {
        if (Source is not { } source) return null;
        try
        {
            return source.GetStatus();
        }
        catch (Exception error)
        {
            Safely.Report("policy status", error);
            return new(PolicyCondition.Warning, $"could not be read: {error.GetType().Name}");
        }
    }
}
