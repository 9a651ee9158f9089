namespace Resilience.Idempotency;

/// <summary>What a look at a record shows.</summary>
/// <param name="State">Its state.</param>
/// <param name="Fence">Its fence; 0 when absent.</param>
/// <param name="RetryAfter">While in progress: time until the lease ends.</param>
public readonly record struct PeekResult(IdempotencyState State, long Fence, TimeSpan RetryAfter);
