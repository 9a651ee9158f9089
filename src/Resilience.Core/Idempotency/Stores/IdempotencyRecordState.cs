namespace Resilience.Idempotency;

/// <summary>What is written in a record. Whether its lease has lapsed or it has expired is computed, not written.</summary>
/// <remarks>The numbers are the same in all stores and never change.</remarks>
public enum IdempotencyRecordState
{
    /// <summary>There is no record.</summary>
    Absent = 0,

    /// <summary>Claimed.</summary>
    InFlight = 1,

    /// <summary>Done.</summary>
    Completed = 2,

    /// <summary>Given back: only the fence is remembered, for a while.</summary>
    Released = 3,

    /// <summary>It may have been done.</summary>
    OutcomeUnknown = 4,
}
