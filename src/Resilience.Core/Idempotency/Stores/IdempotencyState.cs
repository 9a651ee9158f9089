namespace Resilience.Idempotency;

/// <summary>The state of a record, as a store's clock sees it now.</summary>
public enum IdempotencyState
{
    /// <summary>There is none, or it has expired, or it was released.</summary>
    Absent = 0,

    /// <summary>Claimed, and the lease runs.</summary>
    InFlight = 1,

    /// <summary>Claimed, and the lease has ended: others may take over.</summary>
    Lapsed = 2,

    /// <summary>Done.</summary>
    Completed = 3,

    /// <summary>It may have been done.</summary>
    OutcomeUnknown = 4,
}
