namespace Resilience.Idempotency.Tests.Contract;

/// <summary>What can be wrong with a store: one flaw for each law, each of them found in a real library or easily made.</summary>
public enum Flaw
{
    None,
    CountsAttemptsFromZero,
    GivesAHeldIdAway,
    ShowsNoTimeToComeBack,
    DoesNotCompareFingerprintsInProgress,
    DoesNotCompareFingerprintsOfResults,
    LeaksThePayloadOnMismatch,
    TakesOverWithAnotherFingerprint,
    MixesIdsUp,
    ForgetsTheNonce,
    SameNonceGivesANewFence,
    SameNonceKeepsTheOldLease,
    NonceReopensACompletedClaim,
    NonceTakesAClaimBack,
    TakesSenselessClaims,
    AnswersCancelledClaims,
    PeekClaims,
    PeekShowsLapsedAsInProgress,
    ReencodesPayloads,
    KeepsThePayloadsArray,
    TruncatesLargePayloads,
    CompleteTwiceIsLost,
    CompleteTwiceOverwrites,
    TurnsDoneIntoUnknown,
    ForgetsThatItIsUnknown,
    ReleaseDeletesAResult,
    ReleasedKeepsItsFingerprint,
    ReleasedRestartsTheFence,
    ReleaseTwiceIsLost,
    CompleteIsAnUpsert,
    CompletesReleasedClaims,
    RenewsCompletedClaims,
    CompleteIgnoresTheFence,
    ReleaseIgnoresTheFence,
    RenewIgnoresTheFence,
    AcceptsInvalidCompletions,
    TakeoverKeepsTheFence,
    TakeoverForgetsTheAttempt,
    NeverTakesOver,
    LateOwnerCannotComplete,
    LateOwnerCannotRenew,
    RenewDoesNothing,
    RenewOnlyLengthens,
    LiveClaimsExpire,
    IgnoresRetention,
    ExpiredRestartsTheFence,
    PurgeRestartsTheFence,
    ExpiresResultsWithTheLease,
    SaysThatResultsAreKeptForLonger,
    IgnoresMaxAttempts,
    AbandonedCannotComplete,
    PurgeRemovesLapsedClaims,
    PurgeRemovesResults,
    PurgeIgnoresItsBound,
    ReadsThenWrites,
    ClientsDoNotShare,
    CorruptIsAbsent,
    ResolvesLiveClaims,
    ResolvesResults,
    ResolvesOnlyRecordedDoubts,
    ResolvesNothing,
    ResolutionKeepsTheFence,
    ResolutionForgetsThePayload,
    ResolutionForgetsTheFingerprint,
    ResolutionIgnoresItsFence,
    ResolutionIgnoresItsRetention,
    ResolutionIsAnUpsert,
    ResolutionTwiceIsAnother,
    ResolutionReleasesIntoALapsedClaim,
    ResolutionTurnsUnknownIntoDone,
    ResolvesByReadingThenWriting,
    TakesSenselessResolutions,
}

/// <summary>A store with one flaw; with none, it is a second implementation of the contract, written without the rules of the first.</summary>
internal sealed class FlawedStore(Flaw flaw, TimeProvider time) : IResolvableIdempotencyStore
{
    private readonly Dictionary<IdempotencyId, Row> _rows = [];
    private readonly HashSet<IdempotencyId> _corrupt = [];
    private long _lastFence;

    public IdempotencyStoreTraits Traits { get; } = new() { Name = flaw.ToString(), IsImmediate = true, MaxPayloadBytes = 2 << 20 };

    private TimeSpan Now => time.GetElapsedTime(0);

    internal void Corrupt(IdempotencyId id)
    {
        lock (_rows) _corrupt.Add(id);
    }

    public async ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
    {
        if (flaw != Flaw.AnswersCancelledClaims) cancellationToken.ThrowIfCancellationRequested();
        if (flaw != Flaw.TakesSenselessClaims) IdempotencyStoreArguments.Check(request);
        if (flaw == Flaw.ReadsThenWrites)
        {
            bool isFree;
            lock (_rows) isFree = !IsVisible(Find(request.Id)) || Find(request.Id)!.LeaseUntil <= Now;
            await Task.Yield();
            if (isFree)
            {
                lock (_rows) return Grant(request, IsVisible(Find(request.Id)) ? Find(request.Id) : null);
            }
        }

        lock (_rows) return Acquire(request);
    }

    private AcquireResult Acquire(in AcquireRequest request)
    {
        if (_corrupt.Contains(request.Id))
        {
            if (flaw != Flaw.CorruptIsAbsent) throw new IdempotencyStoreException(IdempotencyStoreFault.Corrupt, "Not a record.");
            _corrupt.Remove(request.Id);
            _rows.Remove(request.Id);
        }

        Row? row = Find(request.Id);
        if (!IsVisible(row))
        {
            if (row is { State: 'R' } && flaw == Flaw.ReleasedKeepsItsFingerprint && row.Fingerprint != request.Fingerprint) return AcquireResult.Mismatch;
            return Grant(request, null);
        }

        bool isDone = row!.State is 'C' or 'U', isLapsed = row.LeaseUntil <= Now;
        if (row.Fingerprint != request.Fingerprint)
        {
            bool isOverlooked = isDone ? flaw == Flaw.DoesNotCompareFingerprintsOfResults
                : isLapsed ? flaw == Flaw.TakesOverWithAnotherFingerprint : flaw == Flaw.DoesNotCompareFingerprintsInProgress;
            if (isDone && flaw == Flaw.LeaksThePayloadOnMismatch) return AcquireResult.Completed(IdempotencyCompletion.Completed, row.Payload) with { };
            if (!isOverlooked) return AcquireResult.Mismatch;
        }

        bool isMine = row.Nonce == request.Nonce || (flaw == Flaw.NonceTakesAClaimBack && row.FormerNonce == request.Nonce);
        if (isDone && !(flaw == Flaw.NonceReopensACompletedClaim && row.LastNonce == request.Nonce))
        {
            IdempotencyCompletion completion = row.State == 'C'
                || flaw == Flaw.ForgetsThatItIsUnknown ? IdempotencyCompletion.Completed : IdempotencyCompletion.OutcomeUnknown;
            return AcquireResult.Completed(completion, row.Payload, flaw == Flaw.SaysThatResultsAreKeptForLonger ? TimeSpan.FromDays(1) : row.ExpiresAt - Now);
        }

        if (isMine && flaw != Flaw.ForgetsTheNonce)
        {
            if (flaw == Flaw.SameNonceGivesANewFence) row.Fence = NextFence(row);
            if (flaw != Flaw.SameNonceKeepsTheOldLease) row.LeaseUntil = Now + request.Lease;
            row.ExpiresAt = Now + (request.Retention > request.Lease ? request.Retention : request.Lease);
            return AcquireResult.Acquired(row.Fence, row.Attempt);
        }

        if (!isLapsed || flaw == Flaw.NeverTakesOver)
        {
            if (flaw == Flaw.GivesAHeldIdAway) return Grant(request, row);
            return AcquireResult.InFlight(row.Fence, flaw == Flaw.ShowsNoTimeToComeBack ? TimeSpan.Zero : row.LeaseUntil - Now);
        }

        return row.Attempt >= request.MaxAttempts && flaw != Flaw.IgnoresMaxAttempts ? Abandon(row) : Grant(request, row);
    }

    private AcquireResult Abandon(Row row)
    {
        if (flaw == Flaw.AbandonedCannotComplete) row.State = 'X';
        return AcquireResult.Abandoned;
    }

    private AcquireResult Grant(in AcquireRequest request, Row? lapsed)
    {
        Row? former = _rows.GetValueOrDefault(request.Id);
        bool restarts = (former is { State: 'R' } && flaw == Flaw.ReleasedRestartsTheFence)
            || (former is { State: 'C' } && flaw == Flaw.ExpiredRestartsTheFence) || (former is null && flaw == Flaw.PurgeRestartsTheFence);
        Row row = new()
        {
            State = 'P',
            Fence = restarts ? 1 : lapsed is not null && flaw == Flaw.TakeoverKeepsTheFence ? lapsed.Fence : NextFence(former),
            Attempt = flaw == Flaw.CountsAttemptsFromZero ? lapsed?.Attempt ?? 0 : lapsed is null
                || flaw == Flaw.TakeoverForgetsTheAttempt ? 1 : lapsed.Attempt + 1,
            Nonce = request.Nonce,
            LastNonce = request.Nonce,
            FormerNonce = former?.Nonce ?? default,
            Fingerprint = request.Fingerprint,
            LeaseUntil = Now + request.Lease,
            ExpiresAt = Now + (request.Retention > request.Lease ? request.Retention : request.Lease),
            Payload = [],
        };
        _rows[request.Id] = row;
        return AcquireResult.Acquired(row.Fence, row.Attempt);
    }

    private long NextFence(Row? former) => _lastFence = Math.Max(_lastFence, former?.Fence ?? 0) + 1;

    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        if (flaw != Flaw.AcceptsInvalidCompletions) IdempotencyStoreArguments.CheckLease(lease);
        lock (_rows)
        {
            if (Find(id) is not { } row) return new(false);
            bool isOpen = row.State == 'P' || (flaw == Flaw.RenewsCompletedClaims && row.State == 'C');
            if (!isOpen || (row.Fence != fence && flaw != Flaw.RenewIgnoresTheFence)) return new(false);
            if (flaw == Flaw.LateOwnerCannotRenew && row.LeaseUntil <= Now) return new(false);
            if (flaw == Flaw.RenewDoesNothing || (flaw == Flaw.RenewOnlyLengthens && row.LeaseUntil > Now + lease)) return new(true);
            row.LeaseUntil = Now + lease;
            if (flaw != Flaw.LiveClaimsExpire && row.ExpiresAt < row.LeaseUntil) row.ExpiresAt = row.LeaseUntil;
            return new(true);
        }
    }

    public ValueTask<bool> CompleteAsync(
        IdempotencyId id, long fence, IdempotencyCompletion completion, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default)
    {
        if (flaw == Flaw.TruncatesLargePayloads && payload.Length > Traits.MaxPayloadBytes) payload = payload[..Traits.MaxPayloadBytes];
        if (flaw != Flaw.AcceptsInvalidCompletions) IdempotencyStoreArguments.CheckCompletion(completion, payload, retention, Traits.MaxPayloadBytes);
        lock (_rows)
        {
            char state = completion == IdempotencyCompletion.Completed ? 'C' : 'U';
            if (Find(id) is not { } row)
            {
                if (flaw != Flaw.CompleteIsAnUpsert) return new(false);
                _rows[id] = row = new() { State = 'P', Fence = fence, Fingerprint = Fingerprint.None };
            }

            if (row.Fence != fence && flaw != Flaw.CompleteIgnoresTheFence) return new(false);
            if (row.State == state && flaw != Flaw.CompleteTwiceOverwrites) return new(flaw != Flaw.CompleteTwiceIsLost);
            bool isOpen = row.State == 'P' || row.State == state || (flaw == Flaw.TurnsDoneIntoUnknown && row.State == 'C')
                || (flaw == Flaw.CompletesReleasedClaims && row.State == 'R');
            if (!isOpen || (flaw == Flaw.LateOwnerCannotComplete && row.LeaseUntil <= Now)) return new(false);
            row.State = state;
            row.Nonce = default;
            row.Payload = flaw == Flaw.KeepsThePayloadsArray
                && System.Runtime.InteropServices.MemoryMarshal.TryGetArray(payload, out ArraySegment<byte> given) && given.Array is { } array
                ? array
                : flaw == Flaw.ReencodesPayloads ? System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(payload.Span)) : payload.ToArray();
            row.ExpiresAt = flaw == Flaw.IgnoresRetention ? TimeSpan.MaxValue : flaw == Flaw.ExpiresResultsWithTheLease ? row.LeaseUntil : Now + retention;
            return new(true);
        }
    }

    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default)
    {
        lock (_rows)
        {
            if (Find(id) is not { } row || (row.Fence != fence && flaw != Flaw.ReleaseIgnoresTheFence)) return new(false);
            if (row.State == 'R') return new(flaw != Flaw.ReleaseTwiceIsLost);
            if (row.State != 'P' && !(flaw == Flaw.ReleaseDeletesAResult && row.State == 'C')) return new(false);
            row.State = 'R';
            row.ExpiresAt = Now + TimeSpan.FromMinutes(1);
            return new(true);
        }
    }

    public async ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default)
    {
        if (flaw != Flaw.TakesSenselessResolutions) IdempotencyStoreArguments.Check(request, Traits.MaxPayloadBytes);
        ResolveResult seen;
        lock (_rows) seen = Resolve(request, writes: flaw != Flaw.ResolvesByReadingThenWriting);
        if (flaw != Flaw.ResolvesByReadingThenWriting || seen.Status != ResolveStatus.Resolved) return seen;
        await Task.Delay(1, CancellationToken.None);
        lock (_rows) return Write(request, Find(request.Id)!);
    }

    private ResolveResult Resolve(in ResolveRequest request, bool writes)
    {
        Row? row = Find(request.Id);
        char state = StateOf(request.Completion);
        if (row is not null && row.State == state && row.Nonce == request.Nonce && flaw != Flaw.ResolutionTwiceIsAnother)
            return new(ResolveStatus.Resolved, row.Fence);
        if (!IsVisible(row))
        {
            if (flaw != Flaw.ResolutionIsAnUpsert) return new(ResolveStatus.Absent, 0);
            _rows[request.Id] = row = new() { State = 'P' };
        }

        if (row!.State == 'C' && flaw != Flaw.ResolvesResults) return new(ResolveStatus.Completed, row.Fence);
        if (row.State == 'P' && row.LeaseUntil > Now && flaw != Flaw.ResolvesLiveClaims) return new(ResolveStatus.InFlight, row.Fence);
        if (row.State == 'P' && flaw == Flaw.ResolvesOnlyRecordedDoubts) return new(ResolveStatus.InFlight, row.Fence);
        if (request.Fence != 0 && request.Fence != row.Fence && flaw != Flaw.ResolutionIgnoresItsFence) return new(ResolveStatus.Changed, row.Fence);
        return writes && flaw != Flaw.ResolvesNothing ? Write(request, row) : new(ResolveStatus.Resolved, row.Fence + 1);
    }

    private ResolveResult Write(in ResolveRequest request, Row row)
    {
        row.State = flaw switch
        {
            Flaw.ResolutionReleasesIntoALapsedClaim when request.Completion == IdempotencyCompletion.None => 'P',
            Flaw.ResolutionTurnsUnknownIntoDone => 'C',
            _ => StateOf(request.Completion),
        };
        if (flaw != Flaw.ResolutionKeepsTheFence) row.Fence = NextFence(row);
        if (flaw == Flaw.ResolutionForgetsTheFingerprint) row.Fingerprint = Fingerprint.None;
        row.Nonce = request.Nonce;
        row.LeaseUntil = TimeSpan.Zero;
        row.Payload = flaw == Flaw.ResolutionForgetsThePayload ? [] : request.Payload.ToArray();
        row.ExpiresAt = flaw == Flaw.ResolutionIgnoresItsRetention ? TimeSpan.MaxValue
            : Now + (request.Completion == IdempotencyCompletion.None ? TimeSpan.FromMinutes(1) : request.Retention);
        return new(ResolveStatus.Resolved, row.Fence);
    }

    private static char StateOf(IdempotencyCompletion completion) => completion switch
    {
        IdempotencyCompletion.None => 'R',
        IdempotencyCompletion.Completed => 'C',
        _ => 'U',
    };

    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default)
    {
        lock (_rows)
        {
            if (_corrupt.Contains(id)) throw new IdempotencyStoreException(IdempotencyStoreFault.Corrupt, "Not a record.");
            Row? row = Find(id);
            if (flaw == Flaw.PeekClaims && row is null)
                Grant(new() { Id = id, Nonce = Guid.NewGuid(), Lease = TimeSpan.FromHours(1), Retention = TimeSpan.FromHours(1), MaxAttempts = 1 }, null);
            if (!IsVisible(row)) return default;
            if (row!.State == 'C') return new(new PeekResult(IdempotencyState.Completed, row.Fence, default));
            if (row.State == 'U') return new(new PeekResult(flaw == Flaw.ForgetsThatItIsUnknown ? IdempotencyState.Completed : IdempotencyState.OutcomeUnknown,
                row.Fence, default));
            bool isLive = row.LeaseUntil > Now;
            return isLive || flaw == Flaw.PeekShowsLapsedAsInProgress
                ? new(new PeekResult(IdempotencyState.InFlight, row.Fence, isLive ? row.LeaseUntil - Now : TimeSpan.FromSeconds(1)))
                : new ValueTask<PeekResult>(new PeekResult(IdempotencyState.Lapsed, row.Fence, default));
        }
    }

    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default)
    {
        lock (_rows)
        {
            IdempotencyId[] expired =
            [
                .. _rows.Where(r => r.Value.ExpiresAt <= Now
                        || (flaw == Flaw.PurgeRemovesLapsedClaims && r.Value.State == 'P' && r.Value.LeaseUntil <= Now)
                        || (flaw == Flaw.PurgeRemovesResults && r.Value.State == 'C'))
                    .Select(r => r.Key).Take(flaw == Flaw.PurgeIgnoresItsBound ? int.MaxValue : max),
            ];
            foreach (IdempotencyId id in expired) _rows.Remove(id);
            return new(expired.Length);
        }
    }

    private Row? Find(IdempotencyId id)
    {
        if (flaw == Flaw.MixesIdsUp && !_rows.ContainsKey(id)) return _rows.Values.LastOrDefault();
        return _rows.GetValueOrDefault(id);
    }

    private bool IsVisible(Row? row) => row is not null && row.State != 'R'
        && (row.ExpiresAt > Now || (flaw != Flaw.LiveClaimsExpire && row.State == 'P' && row.LeaseUntil > Now));

    private sealed class Row
    {
        public char State;
        public long Fence;
        public int Attempt;
        public Guid Nonce, LastNonce, FormerNonce;
        public Fingerprint Fingerprint;
        public TimeSpan LeaseUntil, ExpiresAt;
        public byte[] Payload = [];
    }
}
