namespace Resilience.Idempotency;

/// <summary>A store that can say how it is set up: whether its records can vanish, whether it has the rights that it needs.</summary>
public interface ICheckableIdempotencyStore : IIdempotencyStore
{
    /// <summary>Looks at how the store is set up, without changing a record. For a check at the start and for operators.</summary>
    /// <returns>One sentence for each thing that weakens what the store promises; empty when nothing was found.</returns>
    /// <exception cref="IdempotencyStoreException">It could not be asked (<see cref="IdempotencyStoreFault.Unavailable"/>), or it is set up in a way in
    /// which it cannot work (<see cref="IdempotencyStoreFault.Misconfigured"/>).</exception>
    Task<IReadOnlyList<string>> CheckAsync(CancellationToken cancellationToken = default);
}
