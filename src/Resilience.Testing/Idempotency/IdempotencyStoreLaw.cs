namespace Resilience.Testing;

/// <summary>One law of the contract, as a check.</summary>
/// <param name="Name">What must hold, as a sentence; stable, so that reports can be compared.</param>
/// <param name="CheckAsync">Throws when it does not hold: <see cref="ContractViolationException"/>, or what the store threw.</param>
public sealed record IdempotencyStoreLaw(string Name, Func<IdempotencyStoreSubject, Task> CheckAsync)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}
