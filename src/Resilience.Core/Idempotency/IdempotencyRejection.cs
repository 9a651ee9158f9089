namespace Resilience;

/// <summary>Why a call was not executed, and no outcome could be given instead.</summary>
public enum IdempotencyRejectionReason
{
    /// <summary>The call has no key.</summary>
    KeyMissing = 0,

    /// <summary>The key was used for something else.</summary>
    KeyReused = 1,

    /// <summary>The same call is under way.</summary>
    Busy = 2,

    /// <summary>It was begun, perhaps done, and its outcome is unknown.</summary>
    OutcomeUnknown = 3,

    /// <summary>It is done, but its result was not kept.</summary>
    ResultNotKept = 4,

    /// <summary>The stored outcome cannot be read.</summary>
    Unreadable = 5,

    /// <summary>The store cannot be asked.</summary>
    StoreUnavailable = 6,

    /// <summary>The claim was lost while the call ran, and it did not complete; another caller is executing it, or did.</summary>
    ClaimLost = 7,

    /// <summary>This process is stopping and begins nothing new.</summary>
    Stopping = 8,
}

/// <summary>A call was not executed because of its key.</summary>
public sealed class IdempotencyRejection : Rejection
{
    private readonly TimeSpan? _retryAfter;
    private readonly DateTimeOffset _at;

    internal IdempotencyRejection(
        string pipelineName, string policyName, IdempotencyRejectionReason why, TimeProvider time,
        string id = "", TimeSpan? retryAfter = null, Exception? cause = null, bool areAttemptsUsedUp = false)
        : base(pipelineName, policyName)
    {
        _at = time.GetUtcNow();
        Why = why;
        Id = id;
        Cause = cause;
        _retryAfter = retryAfter;
        AreAttemptsUsedUp = areAttemptsUsedUp;
    }

    /// <summary>Why.</summary>
    public IdempotencyRejectionReason Why { get; }

    /// <summary>True when the outcome is unknown because the operation was begun <see cref="IdempotencyOptions.MaxAttempts"/> times.</summary>
    public bool AreAttemptsUsedUp { get; }

    /// <summary>The first digits of the record's id; empty when there was no key.</summary>
    public string Id { get; }

    /// <summary>What the store said, where that was the reason.</summary>
    public Exception? Cause { get; }

    /// <inheritdoc/>
    public override TimeSpan? RetryAfter => _retryAfter;

    /// <inheritdoc/>
    /// <remarks>A store does not say since when a record is as it is, so the sentence tells when it was asked.</remarks>
    public override string Reason => $"{Who}: {Said}, as of {Moment(_at, _at)}; {Next}.";

    private string Said => Why switch
    {
        IdempotencyRejectionReason.KeyMissing => "the call has no idempotency key",
        IdempotencyRejectionReason.KeyReused => $"the key of record {Id} was used for a different call",
        IdempotencyRejectionReason.Busy => $"the same call (record {Id}) is under way",
        IdempotencyRejectionReason.OutcomeUnknown => $"the call (record {Id}) was begun before and its outcome is unknown",
        IdempotencyRejectionReason.ResultNotKept => $"the call (record {Id}) was done before, but its result was not kept",
        IdempotencyRejectionReason.Unreadable => $"the outcome of the call (record {Id}) cannot be read",
        IdempotencyRejectionReason.StoreUnavailable => $"the store cannot be asked about record {Id} ({(Cause is null ? "" : Safely.MessageOf(Cause))})",
        IdempotencyRejectionReason.Stopping => $"this process is stopping and does not begin the call (record {Id})",
        _ => $"the claim (record {Id}) was lost while the call ran",
    };

    private string Next => Why switch
    {
        IdempotencyRejectionReason.KeyMissing => "calls without one are rejected",
        IdempotencyRejectionReason.KeyReused => "give each call a key of its own",
        IdempotencyRejectionReason.OutcomeUnknown or IdempotencyRejectionReason.Unreadable => "it is not begun again until its record has expired",
        IdempotencyRejectionReason.ResultNotKept => "there is nothing more to do",
        _ when _retryAfter is { } wait => $"retry {Ahead(wait, _at)}",
        IdempotencyRejectionReason.ClaimLost => "retry to get the outcome of the other execution",
        _ => "when a retry can succeed is not known",
    };

    /// <inheritdoc/>
    public override ResilienceException ToException() => new IdempotencyRejectedException(this);
}

/// <summary>A call was not executed because of its key.</summary>
public sealed class IdempotencyRejectedException : ResilienceException
{
    internal IdempotencyRejectedException(IdempotencyRejection rejection)
        : base(rejection) => Why = rejection.Why;

    /// <summary>Why.</summary>
    public IdempotencyRejectionReason Why { get; }
}

/// <summary>The error with which the first call ended, repeated to a duplicate.</summary>
public sealed class RecordedErrorException : Exception
{
    internal RecordedErrorException(string originalType, string message)
        : base(message) => OriginalType = originalType;

    /// <summary>The full name of the type of the first exception.</summary>
    public string OriginalType { get; }
}
