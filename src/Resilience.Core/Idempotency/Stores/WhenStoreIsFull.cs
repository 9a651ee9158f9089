namespace Resilience.Idempotency;

/// <summary>What an in-memory store does when a bound is reached.</summary>
public enum WhenStoreIsFull
{
    /// <summary>New keys are rejected (<see cref="IdempotencyStoreFault.Full"/>) until records expire: nothing is forgotten early.</summary>
    Reject = 0,

    /// <summary>The oldest completed record is forgotten: a duplicate of it would be executed again. Counted in
    /// <see cref="InMemoryIdempotencyStore.Evicted"/>.</summary>
    EvictOldestCompleted = 1,
}
