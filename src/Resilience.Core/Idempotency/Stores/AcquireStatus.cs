namespace Resilience.Idempotency;

/// <summary>What a store answered to a claim.</summary>
public enum AcquireStatus
{
    /// <summary>No answer: the content of <c>default</c>.</summary>
    None = 0,

    /// <summary>The id is the caller's until the lease ends.</summary>
    Acquired = 1,

    /// <summary>Another caller holds it.</summary>
    InFlight = 2,

    /// <summary>The operation is done; here is how it ended.</summary>
    Completed = 3,

    /// <summary>The id was used to ask for something else.</summary>
    Mismatch = 4,

    /// <summary>It was begun as often as it may be, and no claim was ever completed: whether it was done is unknown.</summary>
    Abandoned = 5,
}
