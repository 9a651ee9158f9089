namespace Resilience;

/// <summary>What came of asking to begin an operation.</summary>
public enum IdempotencyStatus
{
    /// <summary>No answer: the content of <c>default</c>.</summary>
    None = 0,

    /// <summary>It is the caller's to do: see <see cref="IdempotencyResult.Claim"/>.</summary>
    Claimed = 1,

    /// <summary>It was done before: see <see cref="IdempotencyResult.Kind"/> and <see cref="IdempotencyResult.Content"/>.</summary>
    Replayed = 2,

    /// <summary>Another caller is executing it.</summary>
    Busy = 3,

    /// <summary>The key was used to ask for something else.</summary>
    KeyReused = 4,

    /// <summary>It was begun, perhaps done, and no result is known. It is not begun again.</summary>
    OutcomeUnknown = 5,

    /// <summary>What is stored cannot be read: damaged, or written by a newer version. It is not begun again.</summary>
    Unreadable = 6,

    /// <summary>The store cannot be asked.</summary>
    StoreUnavailable = 7,

    /// <summary>The store cannot be asked, and the options allow to go on without it: the claim protects nothing.</summary>
    Unprotected = 8,

    /// <summary>This process is stopping and begins nothing new, and there is no outcome yet: ask another one.</summary>
    Stopping = 9,
}

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

    /// <summary>Busy, unavailable or stopping: when it may be worth asking again.</summary>
    public TimeSpan RetryAfter { get; private init; }

    /// <summary>Unavailable, unprotected or unreadable: what the store said.</summary>
    public Exception? Error { get; private init; }

    /// <summary>True when the outcome is unknown because the operation was begun as often as it may be.</summary>
    public bool AreAttemptsUsedUp { get; private init; }

    /// <summary>True when the caller may execute.</summary>
    public bool MayExecute => Claim is not null;

    internal static IdempotencyResult Of(IdempotencyClaim claim) =>
        new(claim.IsProtected ? IdempotencyStatus.Claimed : IdempotencyStatus.Unprotected) { Claim = claim, Error = claim.WhyUnprotected };

    internal static IdempotencyResult Busy(TimeSpan retryAfter) => new(IdempotencyStatus.Busy) { RetryAfter = retryAfter };

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
        if (completion == IdempotencyCompletion.Indeterminate && payload.IsEmpty) return new(IdempotencyStatus.OutcomeUnknown);
        return IdempotencyPayload.Decode(payload, out IdempotencyPayloadKind kind, out ReadOnlyMemory<byte> content) == IdempotencyPayloadCheck.Whole
            ? new(completion == IdempotencyCompletion.Completed ? IdempotencyStatus.Replayed : IdempotencyStatus.OutcomeUnknown)
            {
                Kind = kind,
                Content = content,
            }
            : Unreadable(null);
    }
}
