namespace Resilience;

/// <summary>How the wait grows from one retry to the next.</summary>
public enum BackoffKind
{
    /// <summary>Always the base delay.</summary>
    Constant = 0,

    /// <summary>Once, twice, three times the base delay, up to the maximum.</summary>
    Linear,

    /// <summary>Each wait is the one before times a factor, up to the maximum.</summary>
    Exponential,

    /// <summary>Each wait is drawn between the base delay and three times the wait before, up to the maximum. It is its own
    /// jitter.</summary>
    Decorrelated,
}
