using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Renews the leases of all open claims of a gate: one timer, which runs only while there are any.</summary>
/// <remarks>
/// It ticks twelve times in a lease. A claim that lives for less than a third of the lease costs a mark in the table of claims and nothing else.
/// A claim is lost when the store says so, or when the lease must have ended and the renewal has failed or hangs. After the process was
/// stopped for longer than a lease, it asks before it gives up: an owner that is late but was not replaced still holds the claim.
/// </remarks>
internal sealed class LeaseKeeper : IDisposable
{
    private const int TicksPerLease = 12;

    private readonly Lock _gate = new(); // guards what is below; claims and their notes are guarded by their part of the table
    private readonly ClaimTable _claims;
    private readonly Clock _clock;
    private readonly Randomness _randomness;
    private readonly long _leaseMs;
    private readonly long _marginMs;
    private readonly long _maxMs;
    private readonly TimeSpan _tick;
    private readonly Func<IdempotencyClaim, ValueTask<bool>> _renew;
    private readonly Action<IdempotencyClaim> _lost;
    private ITimer? _timer; // made with the first claim
    private int _watched; // parts of the table that have open claims; may be behind by those that are being counted
    private bool _isTicking;
    private bool _isDisposed;

    /// <summary>Creates a keeper.</summary>
    /// <param name="claims">All claims of the gate.</param>
    /// <param name="options">The lease and the longest execution.</param>
    /// <param name="clock">The gate's clock, monotonic.</param>
    /// <param name="randomness">Spreads the renewals.</param>
    /// <param name="renew">Asks the store; throws when it cannot be asked.</param>
    /// <param name="lost">Tells whom it concerns. Called once for each claim, without a lock.</param>
    internal LeaseKeeper(
        ClaimTable claims, IdempotencyOptions options, Clock clock, Randomness randomness, Func<IdempotencyClaim, ValueTask<bool>> renew,
        Action<IdempotencyClaim> lost)
    {
        _claims = claims;
        _clock = clock;
        _randomness = randomness;
        _renew = renew;
        _lost = lost;
        _leaseMs = Clock.ToMs(options.Lease);
        _maxMs = Clock.ToMs(options.MaxExecution);
        _tick = TimeSpan.FromMilliseconds(Math.Max(1, _leaseMs / TicksPerLease));

        // We must stop before the store lets another caller begin: clocks drift, and ours may be a tick behind.
        _marginMs = Math.Min(Math.Max(1000, _leaseMs / 10), _leaseMs / 3);
    }

    /// <summary>The store has granted the claim: its lease is renewed from now on.</summary>
    /// <returns>Those who follow the claim.</returns>
    internal ClaimFollowers? Add(IdempotencyClaim claim)
    {
        claim.Lease.RenewAt = NextRenewal(claim.Lease.Granted);
        ClaimFollowers? followers = _claims.Own(claim, isRenewed: true, out bool beginsWatch);
        if (beginsWatch) BeginWatch();
        return followers;
    }

    /// <summary>Renews the lease of a claim no more, which stays in the table.</summary>
    internal void LetGo(IdempotencyClaim claim) => _claims.PartOf(claim).LetGo(claim);

    /// <summary>Renews it again.</summary>
    internal void TakeBack(IdempotencyClaim claim)
    {
        if (_claims.PartOf(claim).Renew(claim)) BeginWatch();
    }

    public void Dispose()
    {
        ITimer? timer;
        lock (_gate)
        {
            _isDisposed = true;
            timer = _timer;
        }

        Safely.Dispose(timer);
    }

    private void BeginWatch()
    {
        lock (_gate)
        {
            // A tick may have counted the end of this very watch before its beginning.
            if (++_watched <= 0 || _isTicking || _isDisposed) return;
            _isTicking = true;
            _timer ??= _clock.CreateTimer(static state => ((LeaseKeeper)state!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timer.Change(_tick, _tick);
        }
    }

    private void EndWatches(int ended)
    {
        lock (_gate)
        {
            _watched -= ended;
            if (_watched > 0 || !_isTicking) return;
            _isTicking = false;
            if (!_isDisposed) _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private void Tick()
    {
        Look look = new(this, _clock.NowMs);
        int ended = 0;
        foreach (ClaimPart part in _claims.Parts)
        {
            if (!part.Watch(ref look)) ended++;
        }

        if (ended > 0) EndWatches(ended);
        foreach (IdempotencyClaim claim in InOrder(look.Lost)) Apart(new ReportLost(this, claim));
        foreach (IdempotencyClaim claim in InOrder(look.Renew)) Apart(new Renewal(this, claim, look.Now));
    }

    /// <summary>The oldest first, and never in the order of the table, which differs from process to process: a simulation tells the same story
    /// again.</summary>
    private static List<IdempotencyClaim> InOrder(List<IdempotencyClaim>? claims)
    {
        claims?.Sort(static (one, other) =>
        {
            int order = one.Lease.Begun.CompareTo(other.Lease.Begun);
            return order != 0 ? order : one.Id.Fold().CompareTo(other.Id.Fold());
        });
        return claims ?? [];
    }

    /// <summary>Each by itself: a store, or who hears of a loss, may hold up the thread, and the other leases run on. On a user's time it happens in the
    /// timer, as everything does.</summary>
    private void Apart(IThreadPoolWorkItem work)
    {
        if (_clock.IsSystem) _clock.Post(work);
        else work.Execute();
    }

    private struct Look(LeaseKeeper keeper, long now) : ClaimPart.ILook
    {
        internal readonly long Now = now;
        internal List<IdempotencyClaim>? Renew, Lost;

        public void At(IdempotencyClaim claim)
        {
            ref LeaseNotes lease = ref claim.Lease;
            bool mayRenew = Now - lease.Begun < keeper._maxMs;
            bool isOver = Now >= lease.Granted + keeper._leaseMs - keeper._marginMs;
            if (isOver && (lease.IsInDoubt || lease.IsRenewing || !mayRenew))
            {
                lease.IsOpen = false;
                (Lost ??= []).Add(claim);
            }
            else if (Now >= lease.RenewAt && !lease.IsRenewing && mayRenew)
            {
                lease.IsRenewing = true;
                (Renew ??= []).Add(claim);
            }
        }
    }

    private sealed class ReportLost(LeaseKeeper keeper, IdempotencyClaim claim) : IThreadPoolWorkItem
    {
        public void Execute() => keeper._lost(claim);
    }

    private sealed class Renewal(LeaseKeeper keeper, IdempotencyClaim claim, long asked) : IThreadPoolWorkItem
    {
        public void Execute() => _ = keeper.RenewAsync(claim, asked);
    }

    private async Task RenewAsync(IdempotencyClaim claim, long asked)
    {
        bool? isHeld = null;
        try
        {
            isHeld = await _renew(claim).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // told by the gate; it is in doubt whether the claim stands
        }

        if (Note(claim, isHeld, asked)) _lost(claim);
    }

    /// <summary>Notes what a renewal came to.</summary>
    /// <returns>True when the claim is lost.</returns>
    private bool Note(IdempotencyClaim claim, bool? isHeld, long asked)
    {
        long next = NextRenewal(asked);
        lock (_claims.PartOf(claim).Gate)
        {
            ref LeaseNotes lease = ref claim.Lease;
            lease.IsRenewing = false;
            lease.IsInDoubt = isHeld is null;
            if (!lease.IsOpen) return false; // ended meanwhile, or lost
            if (isHeld == true)
            {
                lease.Granted = asked;
                lease.RenewAt = next;
            }

            lease.IsOpen = isHeld != false;
            return isHeld == false;
        }
    }

    /// <summary>A third of the lease later, a tenth more or less, so that claims that began together do not renew together.</summary>
    private long NextRenewal(long granted) => granted + (long)(_leaseMs / 3.0 * (0.9 + (0.2 * SafeRandomness.Draw(_randomness, 0))));
}
