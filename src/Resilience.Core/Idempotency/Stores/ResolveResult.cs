namespace Resilience.Idempotency;

/// <summary>What became of a decision about a record, with the fence of the record.</summary>
/// <param name="Status">What became of it.</param>
/// <param name="Fence">Resolved: the new fence. Otherwise that of the record as it is; 0 when there is none.</param>
public readonly record struct ResolveResult(ResolveStatus Status, long Fence);
