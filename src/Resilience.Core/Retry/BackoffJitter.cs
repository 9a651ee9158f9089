namespace Resilience;

/// <summary>How a wait is spread, so that clients which failed together do not come back together.</summary>
public enum BackoffJitter
{
    /// <summary>Not at all: the wait is the ceiling. For tests, and for a client that is alone.</summary>
    None = 0,

    /// <summary>Anywhere from nothing to the ceiling: the widest spread, and the least work for the dependency.</summary>
    Full,

    /// <summary>Half the ceiling for certain, the other half drawn: for waits that must not be nothing.</summary>
    Equal,
}
