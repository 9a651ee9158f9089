namespace Resilience.Idempotency;

/// <summary>What a store answered to a claim, with what belongs to the answer.</summary>
public readonly record struct AcquireResult
{
    private AcquireResult(AcquireStatus status) => Status = status;

    /// <summary>Which answer it is.</summary>
    public AcquireStatus Status { get; }

    /// <summary>Acquired: the stamp of this claim. In flight: that of the other one.</summary>
    public long Fence { get; private init; }

    /// <summary>Acquired: the number of this try, 1 for the first. Above 1, earlier ones may have done the operation.</summary>
    public int Attempt { get; private init; }

    /// <summary>In flight: time until the lease of the other one ends.</summary>
    public TimeSpan RetryAfter { get; private init; }

    /// <summary>Completed: how it ended.</summary>
    public IdempotencyCompletion Completion { get; private init; }

    /// <summary>Completed: what was kept.</summary>
    public ReadOnlyMemory<byte> Payload { get; private init; }

    /// <summary>Completed: how much longer the record is kept, as the store's clock sees it now. Zero: the store does not say, and no process may answer in
    /// its place.</summary>
    public TimeSpan KeptFor { get; private init; }

    /// <summary>True when another caller's claim had lapsed and this one takes its place.</summary>
    public bool TookOver => Attempt > 1;

    /// <summary>The id is the caller's.</summary>
    /// <param name="fence">Above zero, larger than every earlier one of the id.</param>
    /// <param name="attempt">1, or above 1 for a takeover.</param>
    public static AcquireResult Acquired(long fence, int attempt) => new(AcquireStatus.Acquired) { Fence = fence, Attempt = attempt };

    /// <summary>Another caller holds it.</summary>
    public static AcquireResult InFlight(long fence, TimeSpan retryAfter) => new(AcquireStatus.InFlight) { Fence = fence, RetryAfter = retryAfter };

    /// <summary>The operation was completed.</summary>
    public static AcquireResult Completed(IdempotencyCompletion completion, ReadOnlyMemory<byte> payload) => Completed(completion, payload, TimeSpan.Zero);

    /// <summary>The operation was completed.</summary>
    /// <param name="completion">How it ended.</param>
    /// <param name="payload">What was kept. It is not changed any more.</param>
    /// <param name="keptFor">How much longer it is kept; never more than that. Zero: not said.</param>
    public static AcquireResult Completed(IdempotencyCompletion completion, ReadOnlyMemory<byte> payload, TimeSpan keptFor) =>
        new(AcquireStatus.Completed) { Completion = completion, Payload = payload, KeptFor = keptFor };

    /// <summary>The id was used to ask for something else.</summary>
    public static AcquireResult Mismatch { get; } = new(AcquireStatus.Mismatch);

    /// <summary>It was begun as often as it may be.</summary>
    public static AcquireResult Abandoned { get; } = new(AcquireStatus.Abandoned);
}
