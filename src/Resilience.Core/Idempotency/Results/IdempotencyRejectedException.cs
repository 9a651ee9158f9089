namespace Resilience.Idempotency;

/// <summary>A call was not executed because of its key.</summary>
public sealed class IdempotencyRejectedException : ResilienceException
{
    internal IdempotencyRejectedException(IdempotencyRejection rejection)
        : base(rejection) => Why = rejection.Why;

    /// <summary>Why.</summary>
    public IdempotencyRejectionReason Why { get; }
}
