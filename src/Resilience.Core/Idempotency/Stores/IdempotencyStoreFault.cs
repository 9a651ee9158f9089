namespace Resilience.Idempotency;

/// <summary>Why a store could not answer.</summary>
public enum IdempotencyStoreFault
{
    /// <summary>It could not be reached, did not answer in time, or is too busy: may pass. What was asked may have been done.</summary>
    Unavailable = 0,

    /// <summary>It has no room: the disk is full, or a bound of the store is reached.</summary>
    Full = 1,

    /// <summary>It holds something under this id that is no record of ours, or one of a newer version.</summary>
    Corrupt = 2,

    /// <summary>It is not set up as it must be: a table or a right is missing.</summary>
    Misconfigured = 3,
}
