namespace Resilience.Extensibility;

/// <summary>How a policy is, in one word.</summary>
public enum PolicyCondition
{
    /// <summary>As it should be.</summary>
    Ok = 0,

    /// <summary>Something that a person may want to look at: an account that is spent, calls that wait, a circuit that probes.</summary>
    Warning,

    /// <summary>It lets no call through until something changes: an open circuit.</summary>
    Tripped,
}
