namespace Resilience;

/// <summary>Where it is remembered which operations were begun and how they ended. Implementations are thread-safe.</summary>
/// <remarks>
/// <para>The laws, each of them a named check of the contract suite in <c>Resilience.Testing</c>:</para>
/// <list type="number">
/// <item>Each method is one atomic step for its id, as if ids were locked one by one; no method touches another id.</item>
/// <item>At most one caller holds an id. Each grant carries a <em>fence</em>, a number above zero that is larger than every earlier one
/// of the same id, also after the record was released, purged or expired (as far as the store's clock does not step back).</item>
/// <item><see cref="RenewAsync"/>, <see cref="CompleteAsync"/> and <see cref="ReleaseAsync"/> change something only if the record is in
/// progress and the fence is its present one. They do not ask whether the lease has lapsed: who is late but was not replaced
/// still holds it, until the record is removed.</item>
/// <item>To complete, to release, or to acquire with the same nonce, again changes no state and answers as before: replies get lost.</item>
/// <item>Payloads are opaque and come back byte for byte. Another fingerprint receives no payload.</item>
/// <item>Time is the store's own. Callers pass spans, never moments. What has expired is gone at that moment, not when a purge removes it.</item>
/// <item>A record is kept until its retention has passed: nothing removes a completed one earlier, or one whose lease is live.</item>
/// <item>Contention is an answer, never an exception. What the infrastructure does is an <see cref="IdempotencyStoreException"/>.</item>
/// <item>A cancelled call is done or not done, never half done; the caller does not know which.</item>
/// </list>
/// </remarks>
public interface IIdempotencyStore
{
    /// <summary>What this store is and where its guarantees end.</summary>
    IdempotencyStoreTraits Traits { get; }

    /// <summary>Claims the id, or says why not.</summary>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default);

    /// <summary>Makes the lease end <paramref name="lease"/> from now.</summary>
    /// <returns>False when the claim is lost: another caller has the id, or none.</returns>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default);

    /// <summary>Keeps how the operation ended, for <paramref name="retention"/> from now.</summary>
    /// <param name="id">The id.</param>
    /// <param name="fence">The fence of the claim.</param>
    /// <param name="completion">How it ended.</param>
    /// <param name="payload">What duplicates will receive. The store copies it if it needs it after the call.</param>
    /// <param name="retention">How long to keep it.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>False when the claim is lost. True as well when this same outcome was kept under this fence before.</returns>
    /// <exception cref="ArgumentException">The payload is larger than <see cref="IdempotencyStoreTraits.MaxPayloadBytes"/>; nothing was changed.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default);

    /// <summary>Gives the id back: nothing was done, any caller may claim it, with any fingerprint.</summary>
    /// <returns>False when the claim is lost, or the operation was completed: a result is never removed. True as well when it was released under
    /// this fence before, and it was not claimed since.</returns>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default);

    /// <summary>Looks, without changing anything and without the payload.</summary>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default);

    /// <summary>Removes records that have expired, at most <paramref name="max"/> of them. Nothing but space depends on it; any number
    /// of processes may do it at once.</summary>
    /// <returns>How many were removed.</returns>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default);
}

/// <summary>What a store is and where its guarantees end.</summary>
public sealed record IdempotencyStoreTraits
{
    /// <summary>What operators call it, in lower case ("postgresql").</summary>
    public required string Name { get; init; }

    /// <summary>True when other processes see the same records.</summary>
    public bool IsShared { get; init; }

    /// <summary>True when an acknowledged write survives the end of the process and of the machine.</summary>
    public bool IsDurable { get; init; }

    /// <summary>True when every method ends before it returns: no timeouts are needed around it.</summary>
    public bool IsImmediate { get; init; }

    /// <summary>The largest payload, in bytes. Default 1 MiB.</summary>
    public int MaxPayloadBytes { get; init; } = 1 << 20;

    /// <summary>How many records it takes at most; null, the default, when it has no such bound. Endpoints let one caller have half of
    /// them.</summary>
    public int? MaxRecords { get; init; }
}

/// <summary>What one tries to claim.</summary>
public readonly record struct AcquireRequest
{
    /// <summary>The operation.</summary>
    public required IdempotencyId Id { get; init; }

    /// <summary>What is asked for. A record with another one answers <see cref="AcquireStatus.Mismatch"/>.</summary>
    public Fingerprint Fingerprint { get; init; }

    /// <summary>Names this try: who asks again with the same nonce, because the reply was lost, receives the same claim again. Never empty.</summary>
    public required Guid Nonce { get; init; }

    /// <summary>How long the claim lasts unless it is renewed; afterwards others may take over.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>How long the record is kept if it is never completed; never shorter than the lease.</summary>
    public required TimeSpan Retention { get; init; }

    /// <summary>How often the operation may be begun in all. When that many claims have lapsed, the answer is <see cref="AcquireStatus.Abandoned"/>.
    /// 1 means that no caller ever takes over.</summary>
    public required int MaxAttempts { get; init; }
}

/// <summary>What a store answered to a claim.</summary>
public enum AcquireStatus
{
    /// <summary>No answer: the content of <c>default</c>.</summary>
    None = 0,

    /// <summary>The id is the caller's until the lease ends.</summary>
    Acquired = 1,

    /// <summary>Another caller holds it.</summary>
    InFlight = 2,

    /// <summary>The operation is done; here is how it ended.</summary>
    Completed = 3,

    /// <summary>The id was used to ask for something else.</summary>
    Mismatch = 4,

    /// <summary>It was begun as often as it may be, and no claim was ever completed: whether it was done is unknown.</summary>
    Abandoned = 5,
}

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

/// <summary>How an operation ended.</summary>
public enum IdempotencyCompletion
{
    /// <summary>No outcome: the content of <c>default</c>.</summary>
    None = 0,

    /// <summary>Done, with a result (which may be an error that is to be repeated as it is).</summary>
    Completed = 1,

    /// <summary>It may have been done and there is no result: duplicates are told so, and it is not begun again.</summary>
    Indeterminate = 2,
}

/// <summary>The state of a record, as a store's clock sees it now.</summary>
public enum IdempotencyState
{
    /// <summary>There is none, or it has expired, or it was released.</summary>
    Absent = 0,

    /// <summary>Claimed, and the lease runs.</summary>
    InProgress = 1,

    /// <summary>Claimed, and the lease has ended: others may take over.</summary>
    Lapsed = 2,

    /// <summary>Done.</summary>
    Completed = 3,

    /// <summary>It may have been done.</summary>
    Indeterminate = 4,
}

/// <summary>What a look at a record shows.</summary>
/// <param name="State">Its state.</param>
/// <param name="Fence">Its fence; 0 when absent.</param>
/// <param name="RetryAfter">While in progress: time until the lease ends.</param>
public readonly record struct PeekResult(IdempotencyState State, long Fence, TimeSpan RetryAfter);

/// <summary>Why a store could not answer.</summary>
public enum IdempotencyStoreFault
{
    /// <summary>It could not be reached, did not answer in time, or is too busy: may pass. What was asked may have been done.</summary>
    Unavailable = 0,

    /// <summary>It has no room: the disk is full, or a bound of the store is reached.</summary>
    Full = 1,

    /// <summary>It holds something under this id that is no record of ours, or one of a newer version.</summary>
    Corrupt = 2,

    /// <summary>It is not set up as it must be: a table or a right is missing.</summary>
    Misconfigured = 3,
}

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
