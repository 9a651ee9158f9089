namespace Resilience;

/// <summary>What is asked of a store when the host starts.</summary>
internal enum IdempotencyStartCheck
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A mistake stops the host, an outage is logged.</summary>
    MayBeAway = 1,

    /// <summary>An outage stops the host as well.</summary>
    MustAnswer = 2,
}
