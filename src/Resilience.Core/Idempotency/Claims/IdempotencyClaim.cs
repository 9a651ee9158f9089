using System.Data.Common;
using System.Diagnostics;

namespace Resilience.Idempotency;

/// <summary>The right to do one operation, from an <see cref="IdempotencyGate"/>. End it once: complete, release, or hold.</summary>
/// <remarks>
/// While it is open its lease is renewed in the background. Thread-safe. What the operation needs to protect the next system is here as well:
/// <see cref="Fence"/> for a resource that can compare numbers, <see cref="DeriveKey"/> for a service that knows idempotency keys.
/// </remarks>
public sealed partial class IdempotencyClaim : IAsyncDisposable
{
    /// <summary>Under this property a pipeline's delegate finds the claim in its context.</summary>
    public static readonly ResilienceProperty<IdempotencyClaim> Property = new("idempotency claim");

    private const int Open = 0, Ended = 1, InTransaction = 2;
    private const int Lost = 1, ToldToStop = 2; // in _isLost

    private readonly IClaimOwner _owner;
    private CancellationTokenSource? _lostSource; // made when its token is asked for
    private RareState? _rare;
    private long _number;
    private int _ended;
    private int _isLost;
    private volatile bool _isPastPointOfNoReturn;

    /// <summary>A claim that is about to be asked for.</summary>
    internal IdempotencyClaim(IClaimOwner owner, IdempotencyId id, Fingerprint fingerprint)
    {
        _owner = owner;
        Id = id;
        Fingerprint = fingerprint;
        Span = Activity.Current;
    }

    /// <summary>The span of the call that was given the claim, for what the keeper has to say of it.</summary>
    internal Activity? Span { get; }

    /// <summary>The operation.</summary>
    public IdempotencyId Id { get; }

    /// <summary>The stamp of this claim: above zero, and larger than that of every earlier claim of this operation. Send it along, and let the
    /// resource reject a smaller one than it has seen. 0 when unprotected.</summary>
    public long Fence { get; private set; }

    /// <summary>1 for the first; above 1, earlier ones lapsed and may have done the operation.</summary>
    public int Attempt { get; private set; }

    /// <summary>True when an earlier claim lapsed and this one took its place.</summary>
    public bool TookOver => Attempt > 1;

    /// <summary>False when the store could not be asked and the options allow to go on.</summary>
    public bool IsProtected => Fence > 0;

    /// <summary>True when the claim was lost: the lease could not be renewed, or another caller took over.</summary>
    public bool IsLost => Volatile.Read(ref _isLost) == Lost; // pairs with Lose

    /// <summary>True after <see cref="PassPointOfNoReturn"/>.</summary>
    public bool IsPastPointOfNoReturn => _isPastPointOfNoReturn;

    /// <summary>Cancelled when the claim is lost (stop then, another process may be at it), and when the gate stops and its time is up
    /// (<see cref="IdempotencyGate.StopAsync"/>): end it then, so that another process need not wait for its lease.</summary>
    public CancellationToken LeaseLost
    {
        get
        {
            if (Volatile.Read(ref _lostSource) is { } made) return made.Token;
            CancellationTokenSource mine = new();
            CancellationTokenSource source = Interlocked.CompareExchange(ref _lostSource, mine, null) ?? mine;

            // Pairs with Lose: either it sees our source, or we see that it was lost.
            if (Volatile.Read(ref _isLost) != 0) Cancel(source);
            return source.Token;
        }
    }

    /// <summary>What was asked for.</summary>
    public Fingerprint Fingerprint { get; }

    /// <summary>True when the call was attempted more than once under this claim.</summary>
    internal bool WasRepeated { get; set; }

    /// <summary>True when the call received the outcome that another one recorded, in place of its own.</summary>
    internal bool HasConverged { get; set; }

    /// <summary>Why the last renewal failed; null when it did not.</summary>
    internal Exception? RenewalError
    {
        get => Volatile.Read(ref _rare)?.RenewalError;
        set
        {
            if (value is not null || Volatile.Read(ref _rare) is not null) Rare.RenewalError = value;
        }
    }

    internal Exception? WhyUnprotected => _rare?.WhyUnprotected;

    /// <summary>True from the moment on at which its owner began to complete, release or hold it, also in a transaction.</summary>
    public bool HasEnded => Volatile.Read(ref _ended) != Open;

    /// <summary>True after <see cref="CompleteInAsync"/>, until the outcome of the transaction is reported.</summary>
    public bool IsInTransaction => Volatile.Read(ref _ended) == InTransaction;

    /// <summary>What names this claim to the store; see <see cref="ITransactionalIdempotencyStore.ResolveAsync"/>. Empty without protection.</summary>
    public Guid Nonce => IsProtected ? _owner.NonceOf(_number) : Guid.Empty;

    /// <summary>Says that from here on the operation may have been done: a failure will be recorded as unknown and the operation will not begin
    /// again.</summary>
    /// <remarks>Call it right before the first effect that cannot be taken back.</remarks>
    public void PassPointOfNoReturn() => _isPastPointOfNoReturn = true;

    /// <summary>A key for a call to another service, the same at every attempt of this operation and for this purpose, by whatever process.</summary>
    /// <param name="purpose">Which of the calls it is ("charge"); two calls need two purposes.</param>
    /// <returns>32 hexadecimal digits.</returns>
    /// <exception cref="ArgumentException"><paramref name="purpose"/> is null or empty.</exception>
    public string DeriveKey(string purpose) => Id.DeriveKey(purpose);

    /// <summary>Records that the operation is done. Duplicates receive the content from now on.</summary>
    /// <param name="kind">What the content is.</param>
    /// <param name="content">The result. If it is larger than the store takes, it is recorded that the operation was done, without it.</param>
    /// <exception cref="InvalidOperationException">The claim was ended before.</exception>
    public ValueTask<IdempotencyFinish> CompleteAsync(IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content)
    {
        End();
        return _owner.CompleteAsync(this, IdempotencyCompletion.Completed, kind, content, null);
    }

    /// <inheritdoc cref="CompleteAsync(IdempotencyPayloadKind, ReadOnlyMemory{byte})"/>
    /// <param name="kind">What the content is.</param>
    /// <param name="content">The result. If it is larger than the store takes, it is recorded that the operation was done, without it.</param>
    /// <param name="retention">How long it is kept, in place of <see cref="IdempotencyOptions.Retention"/>: a microsecond to ten years.</param>
    /// <exception cref="ArgumentOutOfRangeException">The retention is out of range; the claim stands.</exception>
    public ValueTask<IdempotencyFinish> CompleteAsync(IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, TimeSpan retention)
    {
        IdempotencyStoreArguments.CheckCompletion(IdempotencyCompletion.Completed, default, retention, int.MaxValue);
        End();
        return _owner.CompleteAsync(this, IdempotencyCompletion.Completed, kind, content, retention);
    }

    /// <summary>Records that it is unknown whether the operation was done. Duplicates are told so, with the content if there is any.</summary>
    /// <exception cref="InvalidOperationException">The claim was ended before.</exception>
    public ValueTask<IdempotencyFinish> CompleteAsUnknownAsync(IdempotencyPayloadKind kind = default, ReadOnlyMemory<byte> content = default)
    {
        End();
        return _owner.CompleteAsync(this, IdempotencyCompletion.OutcomeUnknown, kind, content, null);
    }

    /// <summary>Records in a transaction of yours that the operation is done: its rows and the record are committed together, or neither is. Make it
    /// the last statement, commit, and then call <see cref="Committed"/>.</summary>
    /// <param name="transaction">An open transaction on the database of the store.</param>
    /// <param name="kind">What the content is.</param>
    /// <param name="content">The result. If it is larger than the store takes, it is recorded that the operation was done, without it.</param>
    /// <param name="cancellationToken">Ends the wait; roll back then.</param>
    /// <returns>Kept, when you may commit; lost, when another claim took the place of this one: roll back.</returns>
    /// <remarks>From here on the claim is not renewed. After a rollback end it as any other claim: release, lapse or hold. Without a word it is
    /// held when it is disposed of. When the commit ends with an error, ask <see cref="ITransactionalIdempotencyStore.ResolveAsync"/>.</remarks>
    /// <exception cref="InvalidOperationException">The claim was ended before, or is without protection.</exception>
    /// <exception cref="NotSupportedException">The store has no transactions.</exception>
    /// <exception cref="IdempotencyStoreException">The store did not take it: roll back. The claim stays open.</exception>
    public async ValueTask<IdempotencyFinish> CompleteInAsync(
        DbTransaction transaction, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        if (Volatile.Read(ref _ended) != Open) throw AlreadyEnded();
        IdempotencyResult end = await _owner.CompleteInAsync(this, transaction, kind, content, cancellationToken).ConfigureAwait(false);
        if (end.Status == IdempotencyStatus.None)
        {
            if (Interlocked.CompareExchange(ref _ended, Ended, Open) == Open) _owner.EndInTransaction(this, default);
            return IdempotencyFinish.Lost;
        }

        Rare.EndInTransaction = end;
        if (Interlocked.CompareExchange(ref _ended, InTransaction, Open) != Open) throw AlreadyEnded();
        return IdempotencyFinish.Kept;
    }

    private static InvalidOperationException NoTransaction() =>
        new("This claim has no transaction whose result is awaited: CompleteInAsync was not called, or the result was reported already.");

    /// <summary>Says that the transaction of <see cref="CompleteInAsync"/> was committed: those who wait in this process receive the outcome.</summary>
    /// <exception cref="InvalidOperationException">The claim was not completed in a transaction, or its end was told before.</exception>
    public void Committed()
    {
        if (Interlocked.CompareExchange(ref _ended, Ended, InTransaction) != InTransaction)
            throw NoTransaction();
        _owner.EndInTransaction(this, Rare.EndInTransaction);
    }

    /// <summary>Asks the store what became of the transaction of <see cref="CompleteInAsync"/>, when its commit ended with an error or was not reported.
    /// Waits for the transaction if it is still open. If it was committed, the claim ends as by <see cref="Committed"/>.</summary>
    /// <param name="wait">How long to wait for the store, a microsecond to a day.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What is certain. After anything but <see cref="CommitResolution.Committed"/> the claim stays as it was: end it as any other.</returns>
    /// <exception cref="InvalidOperationException">The claim was not completed in a transaction, or its end was told before.</exception>
    public async ValueTask<CommitResolution> ResolveCommitAsync(TimeSpan wait, CancellationToken cancellationToken = default)
    {
        if (!IsInTransaction) throw NoTransaction();
        CommitResolution resolution = await _owner.ResolveCommitAsync(this, wait, cancellationToken).ConfigureAwait(false);
        if (resolution == CommitResolution.Committed) Committed();
        return resolution;
    }

    /// <summary>Gives the key back: nothing was done, the next may begin at once.</summary>
    /// <remarks>If this claim took over from a lapsed one (<see cref="TookOver"/>), what became of that one stays unknown: the key is given back
    /// as by <see cref="LapseAsync"/>.</remarks>
    /// <exception cref="InvalidOperationException">The claim was ended before.</exception>
    public ValueTask<IdempotencyFinish> ReleaseAsync()
    {
        End();
        return _owner.ReleaseAsync(this);
    }

    /// <summary>Ends the lease now without saying that nothing was done: the next takes over at once, and this attempt stays counted. For a call
    /// that certainly runs no more and must not be begun more than <see cref="IdempotencyOptions.MaxAttempts"/> times.</summary>
    /// <exception cref="InvalidOperationException">The claim was ended before.</exception>
    public ValueTask<IdempotencyFinish> LapseAsync()
    {
        End();
        return _owner.LapseAsync(this);
    }

    /// <summary>Leaves it as it is: it is not known yet whether the operation was done. The lease is no longer renewed and lapses.</summary>
    /// <exception cref="InvalidOperationException">The claim was ended before.</exception>
    public void Hold()
    {
        End();
        _owner.Hold(this);
    }

    /// <summary>Holds the claim if it was not ended.</summary>
    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _ended, Ended) != Ended) _owner.Hold(this);
        return default;
    }

    /// <summary>The store has granted it.</summary>
    /// <param name="answer">What the store said.</param>
    /// <param name="number">What its nonce was made of.</param>
    /// <param name="asked">When it was asked for.</param>
    internal void Granted(in AcquireResult answer, long number, long asked)
    {
        _number = number;
        Fence = answer.Fence;
        Attempt = answer.Attempt;
        Lease = new(asked);
    }

    /// <summary>The store could not be asked, and the options allow to go on without it.</summary>
    internal void GoUnprotected(Exception why)
    {
        Attempt = 1;
        Rare.WhyUnprotected = why;
    }

    /// <summary>The keeper says that it is lost.</summary>
    internal void Lose()
    {
        if (Interlocked.Exchange(ref _isLost, Lost) == 0) CancelLost();
    }

    /// <summary>The gate stops, and this claim has not ended in time.</summary>
    internal void TellToStop()
    {
        if (Interlocked.CompareExchange(ref _isLost, ToldToStop, 0) == 0) CancelLost();
    }

    /// <summary>After an exchange, which is a full fence: see <see cref="LeaseLost"/>.</summary>
    private void CancelLost()
    {
        if (Volatile.Read(ref _lostSource) is { } source) Cancel(source);
    }

    private static void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (Exception error)
        {
            Safely.Report("cancellation callback", error);
        }
    }

    private void End()
    {
        if (Interlocked.Exchange(ref _ended, Ended) == Ended) throw AlreadyEnded();
    }

    private static InvalidOperationException AlreadyEnded() => new("This claim was completed, released or held before.");

    /// <summary>Made when it is first needed: by the call that asks for the claim or ends it, or by the keeper.</summary>
    private RareState Rare => Volatile.Read(ref _rare) ?? Interlocked.CompareExchange(ref _rare, new(), null) ?? _rare!;

    /// <summary>What few claims have.</summary>
    private sealed class RareState
    {
        internal IdempotencyResult EndInTransaction;
        internal volatile DbTransaction? Transaction;
        internal Exception? WhyUnprotected;
        internal volatile Exception? RenewalError;
    }
}
