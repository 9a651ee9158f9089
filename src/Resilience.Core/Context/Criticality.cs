namespace Resilience.Overload;

/// <summary>How much it matters that a call succeeds: under overload the lower classes are rejected first. Four, because more are not set consistently (Google,
/// Site Reliability Engineering, ch. 21).</summary>
public enum Criticality
{
    /// <summary>Partial unavailability is expected: batch work that can run later.</summary>
    Sheddable = 0,

    /// <summary>Work that is retried later by itself, or whose absence a user hardly sees.</summary>
    SheddablePlus = 1,

    /// <summary>The default: a failure is seen by a user.</summary>
    Critical = 2,

    /// <summary>The most important few: a failure has serious consequences.</summary>
    CriticalPlus = 3,
}
