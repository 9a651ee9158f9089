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

/// <summary>One law of the contract, as a check.</summary>
/// <param name="Name">What must hold, as a sentence; stable, so that reports can be compared.</param>
/// <param name="CheckAsync">Throws when it does not hold: <see cref="ContractViolationException"/>, or what the store threw.</param>
public sealed record IdempotencyStoreLaw(string Name, Func<IdempotencyStoreSubject, Task> CheckAsync)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A law does not hold.</summary>
public sealed class ContractViolationException : Exception
{
    /// <summary>Creates the exception.</summary>
    public ContractViolationException(string message)
        : base(message)
    {
    }
}

/// <summary>What the check of a store found.</summary>
/// <param name="Passed">The names of the laws that hold.</param>
/// <param name="Failed">The laws that do not, each with what was found.</param>
public sealed record ContractReport(IReadOnlyList<string> Passed, IReadOnlyList<KeyValuePair<string, Exception>> Failed)
{
    /// <summary>True when every law holds.</summary>
    public bool IsKept => Failed.Count == 0;

    /// <inheritdoc/>
    public override string ToString() => IsKept
        ? $"All {Passed.Count} laws hold."
        : $"{Failed.Count} of {Passed.Count + Failed.Count} laws do not hold:"
            + string.Concat(Failed.Select(f => $"{Environment.NewLine}  {f.Key}: {f.Value.Message}"));
}
