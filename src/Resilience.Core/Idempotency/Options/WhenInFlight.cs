namespace Resilience.Idempotency;

/// <summary>What a duplicate does while the first is still under way.</summary>
public enum WhenInFlight
{
    /// <summary>It is told so at once, with a short time after which to come back: a hint that the first may have ended by then, never the rest of
    /// its lease.</summary>
    Reject = 0,

    /// <summary>It waits, within bounds, and receives the same outcome; if the first gives up, it takes its place.</summary>
    Wait = 1,
}
