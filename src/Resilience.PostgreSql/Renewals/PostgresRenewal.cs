namespace Resilience.Idempotency;

/// <summary>One lease to be renewed.</summary>
/// <param name="Id">The id.</param>
/// <param name="Fence">The fence of the claim.</param>
/// <param name="Lease">The lease, from the moment on at which it is written.</param>
internal readonly record struct PostgresRenewal(IdempotencyId Id, long Fence, TimeSpan Lease);
