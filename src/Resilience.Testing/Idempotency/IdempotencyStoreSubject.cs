using Resilience.Idempotency;

namespace Resilience.Testing;

/// <summary>The store that is to be checked: how to open it, and how to let its time pass.</summary>
/// <remarks>One subject serves all laws: each of them uses ids of its own.</remarks>
public abstract class IdempotencyStoreSubject : IAsyncDisposable
{
    /// <summary>How long a lease is that the laws wait for. Default 250 ms: long enough for a slow machine, short enough to wait for.</summary>
    public virtual TimeSpan ShortLease => TimeSpan.FromMilliseconds(250);

    /// <summary>Opens the store, or one more client of it, with connections of its own. All see the same records.</summary>
    public abstract ValueTask<IIdempotencyStore> OpenAsync();

    /// <summary>Lets at least this span pass on the store's clock. Default: waits.</summary>
    public virtual Task PassAsync(TimeSpan span) => Task.Delay(span, TimeProvider.System);

    /// <summary>Puts something in the place of the record of this id that is no record: cut, overwritten, of another type. False: this store
    /// cannot be tampered with from here, and the law about it is passed over.</summary>
    public virtual ValueTask<bool> TryCorruptAsync(IdempotencyId id) => new(false);

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }
}
