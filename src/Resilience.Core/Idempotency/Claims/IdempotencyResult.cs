namespace Resilience.Idempotency;

/// <summary>The answer of an <see cref="IdempotencyGate"/>, with what belongs to it.</summary>
public readonly record struct IdempotencyResult
{
    private IdempotencyResult(IdempotencyStatus status) => Status = status;

    /// <summary>Which answer it is.</summary>
    public IdempotencyStatus Status { get; }

    /// <summary>Claimed or unprotected: the claim, which the caller must complete, release or hold.</summary>
    public IdempotencyClaim? Claim { get; private init; }

    /// <summary>Replayed, or outcome unknown with a stored error: what <see cref="Content"/> is.</summary>
    public IdempotencyPayloadKind Kind { get; private init; }

    /// <summary>Replayed, or outcome unknown with a stored error: the content that was kept.</summary>
    public ReadOnlyMemory<byte> Content { get; private init; }

    /// <summary>In flight, unavailable or stopping: when it may be worth asking again.</summary>
    public TimeSpan RetryAfter { get; private init; }

    /// <summary>Unavailable, unprotected or unreadable: what the store said.</summary>
    public Exception? Error { get; private init; }

    /// <summary>True when the outcome is unknown because the operation was begun as often as it may be.</summary>
    public bool AreAttemptsUsedUp { get; private init; }

    /// <summary>True when the caller may execute.</summary>
    public bool MayExecute => Claim is not null;

    internal static IdempotencyResult Of(IdempotencyClaim claim) =>
        new(claim.IsProtected ? IdempotencyStatus.Claimed : IdempotencyStatus.Unprotected) { Claim = claim, Error = claim.WhyUnprotected };

    internal static IdempotencyResult InFlight(TimeSpan retryAfter) => new(IdempotencyStatus.InFlight) { RetryAfter = retryAfter };

    internal static IdempotencyResult KeyReused { get; } = new(IdempotencyStatus.KeyReused);

    internal static IdempotencyResult Stopping { get; } = new(IdempotencyStatus.Stopping) { RetryAfter = TimeSpan.FromSeconds(1) };

    internal static IdempotencyResult Abandoned { get; } = new(IdempotencyStatus.OutcomeUnknown) { AreAttemptsUsedUp = true };

    internal static IdempotencyResult Unavailable(Exception error) =>
        new(IdempotencyStatus.StoreUnavailable) { Error = error, RetryAfter = WhenToAsk(error as IdempotencyStoreException) };

    /// <summary>An outage may be over soon. A store that is full stays so until records expire or a person makes room.</summary>
    private static TimeSpan WhenToAsk(IdempotencyStoreException? error) =>
        error?.RetryAfter ?? (error?.Fault == IdempotencyStoreFault.Full ? TimeSpan.FromMinutes(1) : TimeSpan.FromSeconds(1));

    internal static IdempotencyResult Unreadable(Exception? error) => new(IdempotencyStatus.Unreadable) { Error = error };

    /// <summary>What was completed this moment: as it will be unpacked.</summary>
    internal static IdempotencyResult KeptNow(IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content) =>
        new(completion == IdempotencyCompletion.Completed ? IdempotencyStatus.Replayed : IdempotencyStatus.OutcomeUnknown) { Kind = kind, Content = content };

    /// <summary>Unpacks what a store returned for a completed operation.</summary>
    internal static IdempotencyResult Kept(IdempotencyCompletion completion, ReadOnlyMemory<byte> payload)
    {
        if (completion == IdempotencyCompletion.OutcomeUnknown && payload.IsEmpty) return new(IdempotencyStatus.OutcomeUnknown);
        return IdempotencyPayload.Decode(payload, out IdempotencyPayloadKind kind, out ReadOnlyMemory<byte> content) == IdempotencyPayloadCheck.Whole
            ? new(completion == IdempotencyCompletion.Completed ? IdempotencyStatus.Replayed : IdempotencyStatus.OutcomeUnknown)
            {
                Kind = kind,
                Content = content,
            }
            : Unreadable(null);
    }
}
