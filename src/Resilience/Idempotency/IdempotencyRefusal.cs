namespace Resilience;

/// <summary>Why a call was not executed, and no outcome could be given instead.</summary>
public enum IdempotencyRefusalReason
{
    /// <summary>The call has no key.</summary>
    KeyMissing = 0,

    /// <summary>The key was used for something else.</summary>
    KeyReused = 1,

    /// <summary>The same call is under way.</summary>
    Busy = 2,

    /// <summary>It was begun, perhaps done, and nobody knows how it ended.</summary>
    OutcomeUnknown = 3,

    /// <summary>It is done, but its result was not kept.</summary>
    ResultNotKept = 4,

    /// <summary>The stored outcome cannot be read.</summary>
    Unreadable = 5,

    /// <summary>The store cannot be asked.</summary>
    StoreUnavailable = 6,

    /// <summary>The claim was lost while the call ran, and it did not come to an end; somebody else is doing it, or did.</summary>
    ClaimLost = 7,

    /// <summary>This process is stopping and begins nothing new.</summary>
    Stopping = 8,
}

/// <summary>A call was not executed because of its key.</summary>
public sealed class IdempotencyRefusal : Refusal
{
    private readonly TimeSpan? _retryAfter;
    private readonly DateTimeOffset _at;

    internal IdempotencyRefusal(
        string pipelineName, string policyName, IdempotencyRefusalReason why, TimeProvider time,
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
    public IdempotencyRefusalReason Why { get; }

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
        IdempotencyRefusalReason.KeyMissing => "the call has no idempotency key",
        IdempotencyRefusalReason.KeyReused => $"the key of record {Id} was used for a different call",
        IdempotencyRefusalReason.Busy => $"the same call (record {Id}) is under way",
        IdempotencyRefusalReason.OutcomeUnknown => $"the call (record {Id}) was begun before and nobody knows how it ended",
        IdempotencyRefusalReason.ResultNotKept => $"the call (record {Id}) was done before, but its result was not kept",
        IdempotencyRefusalReason.Unreadable => $"the outcome of the call (record {Id}) cannot be read",
        IdempotencyRefusalReason.StoreUnavailable => $"the store cannot be asked about record {Id} ({(Cause is null ? "" : Safely.MessageOf(Cause))})",
        IdempotencyRefusalReason.Stopping => $"this process is stopping and does not begin the call (record {Id})",
        _ => $"the claim (record {Id}) was lost while the call ran",
    };

    private string Next => Why switch
    {
        IdempotencyRefusalReason.KeyMissing => "it will be refused until it has one",
        IdempotencyRefusalReason.KeyReused => "it will be refused until it has a key of its own",
        IdempotencyRefusalReason.OutcomeUnknown or IdempotencyRefusalReason.Unreadable => "it is not begun again until its record has expired",
        IdempotencyRefusalReason.ResultNotKept => "there is nothing more to do",
        _ when _retryAfter is { } wait => $"it may be worth asking again {Ahead(wait, _at)}",
        IdempotencyRefusalReason.ClaimLost => "ask again to hear how it ended elsewhere",
        _ => "when it may be worth asking again is not known",
    };

    /// <inheritdoc/>
    public override ResilienceException ToException() => new IdempotencyRefusedException(this);
}

/// <summary>A call was not executed because of its key.</summary>
public sealed class IdempotencyRefusedException : ResilienceException
{
    internal IdempotencyRefusedException(IdempotencyRefusal refusal)
        : base(refusal) => Why = refusal.Why;

    /// <summary>Why.</summary>
    public IdempotencyRefusalReason Why { get; }
}

/// <summary>The error with which the first call ended, repeated to a duplicate.</summary>
public sealed class RecordedErrorException : Exception
{
    internal RecordedErrorException(string originalType, string message)
        : base(message) => OriginalType = originalType;

    /// <summary>The full name of the type of the first exception.</summary>
    public string OriginalType { get; }
}
