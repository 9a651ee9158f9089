namespace Resilience.Idempotency;

/// <summary>A store could not answer. Whether a change that was asked for has happened is not known.</summary>
public sealed class IdempotencyStoreException : Exception
{
    /// <summary>Creates the exception.</summary>
    public IdempotencyStoreException(IdempotencyStoreFault fault, string message, Exception? innerException = null)
        : base(message, innerException) => Fault = fault;

    /// <summary>Why.</summary>
    public IdempotencyStoreFault Fault { get; }

    /// <summary>When it may help to ask again, if the store knows: one that is full knows when its next record expires. Default null.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>True when it may help to ask again soon.</summary>
    public bool IsTransient => Fault == IdempotencyStoreFault.Unavailable;
}
