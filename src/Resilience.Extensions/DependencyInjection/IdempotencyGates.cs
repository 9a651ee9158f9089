namespace Resilience;

/// <summary>Which gate the container has made: to look at. Asking makes none, so a store is not touched before its first call.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class IdempotencyGates
{
    private IdempotencyGate? _made;

    /// <summary>The gate of <c>AddIdempotency</c>, once somebody has used it; otherwise empty.</summary>
    public IReadOnlyList<IdempotencyGate> Made => Volatile.Read(ref _made) is { } made ? [made] : []; // acquire: pairs with the write below

    internal IdempotencyGate Keep(IdempotencyGate made)
    {
        Volatile.Write(ref _made, made); // release: it is whole before it can be seen
        return made;
    }
}
