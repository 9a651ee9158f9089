namespace Resilience;

/// <summary>What the race does next.</summary>
internal enum HedgingMove
{
    /// <summary>Wait for an outcome, or for the delay where an attempt is left.</summary>
    Wait,

    /// <summary>Start the next attempt now.</summary>
    Start,

    /// <summary>Start the next attempt now if it goes another way than the one that was rejected.</summary>
    StartElsewhere,

    /// <summary>The call ends as the attempt that has just ended.</summary>
    EndWithThis,

    /// <summary>The call ends with the failure (or rejection) that was kept.</summary>
    EndWithKept,
}
