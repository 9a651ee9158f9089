namespace Resilience.Idempotency;

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
        IdempotencyRejectionReason.InFlight => $"the same call (record {Id}) is under way",
        IdempotencyRejectionReason.OutcomeUnknown => $"the call (record {Id}) was begun before and its outcome is unknown",
        IdempotencyRejectionReason.ResultNotKept => $"the call (record {Id}) was done before, but its result was not kept",
        IdempotencyRejectionReason.Unreadable => $"the outcome of the call (record {Id}) cannot be read",
        IdempotencyRejectionReason.StoreUnavailable => $"the store cannot be asked about record {Id}{Words}",
        IdempotencyRejectionReason.Stopping => $"this process is stopping and does not begin the call (record {Id})",
        _ => $"the claim (record {Id}) was lost while the call ran",
    };

    private string Words => Cause is not null && Safely.MessageOf(Cause) is { Length: > 0 } message ? $" ({message})" : "";

    private string Next => Why switch
    {
        IdempotencyRejectionReason.KeyMissing => "calls without one are rejected",
        IdempotencyRejectionReason.KeyReused => "give each call a key of its own",
        IdempotencyRejectionReason.OutcomeUnknown or IdempotencyRejectionReason.Unreadable => "it is not begun again until its record has expired",
        IdempotencyRejectionReason.ResultNotKept => "there is nothing more to do",
        _ when _retryAfter is { } wait => $"retry {Ahead(wait, _at)}",
        IdempotencyRejectionReason.ClaimLost => "retry to get the outcome of the other execution",
        _ => "it is not known when a retry can succeed",
    };

    /// <inheritdoc/>
    public override ResilienceException ToException() => new IdempotencyRejectedException(this);
}
