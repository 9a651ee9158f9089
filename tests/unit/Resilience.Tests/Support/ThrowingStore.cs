namespace Resilience.Tests;

/// <summary>A store that throws whatever it is asked, as a store that is away or in error does; or one that a test never asks.</summary>
/// <param name="make">Makes the exception, anew each time.</param>
/// <param name="name">What operators call it.</param>
/// <param name="isImmediate">Whether it says that it answers at once.</param>
internal sealed class ThrowingStore(Func<Exception> make, string name = "throwing", bool isImmediate = false) : IIdempotencyStore
{
    public IdempotencyStoreTraits Traits { get; } = new() { Name = name, IsImmediate = isImmediate };

    /// <summary>Unavailable or misconfigured, as the stores of the library say it.</summary>
    internal static ThrowingStore Of(IdempotencyStoreFault fault) => new(() => new IdempotencyStoreException(fault, "it is " + fault));

    public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) => throw make();

    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) => throw make();

    public ValueTask<bool> CompleteAsync(
        IdempotencyId id, long fence, IdempotencyCompletion outcome, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default) =>
        throw make();

    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) => throw make();

    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => throw make();

    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) => throw make();
}
