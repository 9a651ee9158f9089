namespace Resilience;

/// <summary>What the keeper knows of one claim; a part of it. Times are milliseconds of the gate's clock.</summary>
internal struct LeaseNotes(long asked)
{
    /// <summary>When the first claim was asked for: execution is measured from here.</summary>
    internal readonly long Begun = asked;

    /// <summary>When the request was sent that the store granted last: the lease cannot have begun earlier.</summary>
    internal long Granted = asked;

    /// <summary>Neighbours among the open claims.</summary>
    internal IdempotencyClaim? Previous, Next;

    /// <summary>When to renew next.</summary>
    internal long RenewAt;

    /// <summary>A renewal is under way.</summary>
    internal bool IsRenewing;

    /// <summary>The last renewal failed, so that it is not known whether the claim stands.</summary>
    internal bool IsInDoubt;

    /// <summary>It is among the open claims.</summary>
    internal bool IsOpen;
}

/// <summary>Renews the leases of all open claims of a gate: one timer, which runs only while there are any.</summary>
/// <remarks>
/// It ticks twelve times in a lease. A claim that lives for less than a third of the lease costs an entry in a list and nothing else.
/// A claim is lost when the store says so, or when the lease must have ended and the renewal has failed or hangs. After the process was
/// stopped for longer than a lease, it asks before it gives up: whoever is late but was not replaced still holds the claim.
/// </remarks>
internal sealed class LeaseKeeper : IDisposable
{
    private const int TicksPerLease = 12;

    private readonly Lock _gate = new(); // guards the list, the notes of the claims, and what is below
    private readonly Clock _clock;
    private readonly Randomness _randomness;
    private readonly long _leaseMs;
    private readonly long _marginMs;
    private readonly long _longestMs;
    private readonly TimeSpan _tick;
    private readonly Func<IdempotencyClaim, ValueTask<bool>> _renew;
    private readonly Action<IdempotencyClaim> _lost;
    private IdempotencyClaim? _first, _last;
    private ITimer? _timer; // made with the first claim
    private bool _isTicking;
    private bool _isDisposed;

    /// <summary>Creates a keeper.</summary>
    /// <param name="options">The lease and the longest execution.</param>
    /// <param name="clock">The gate's clock, monotonic.</param>
    /// <param name="randomness">Spreads the renewals.</param>
    /// <param name="renew">Asks the store; throws when it cannot be asked.</param>
    /// <param name="lost">Tells whom it concerns. Called once for each claim, without a lock.</param>
    internal LeaseKeeper(IdempotencyOptions options, Clock clock, Randomness randomness, Func<IdempotencyClaim, ValueTask<bool>> renew,
        Action<IdempotencyClaim> lost)
    {
        _clock = clock;
        _randomness = randomness;
        _renew = renew;
        _lost = lost;
        _leaseMs = Clock.ToMs(options.Lease);
        _longestMs = Clock.ToMs(options.MaxExecution);
        _tick = TimeSpan.FromMilliseconds(Math.Max(1, _leaseMs / TicksPerLease));

        // We must stop before the store lets somebody else begin: clocks drift, and ours may be a tick behind.
        _marginMs = Math.Min(Math.Max(1000, _leaseMs / 10), _leaseMs / 3);
    }

    internal void Add(IdempotencyClaim claim)
    {
        claim.Lease.RenewAt = NextRenewal(claim.Lease.Granted);
        lock (_gate)
        {
            Link(claim);
            if (_isTicking || _isDisposed) return;
            _isTicking = true;
            _timer ??= _clock.CreateTimer(static state => ((LeaseKeeper)state!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timer.Change(_tick, _tick);
        }
    }

    internal void Remove(IdempotencyClaim claim)
    {
        lock (_gate)
        {
            if (claim.Lease.IsOpen) Unlink(claim);
        }
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

    private void Tick()
    {
        long now = _clock.NowMs;
        List<IdempotencyClaim>? renew = null, lost = null;
        lock (_gate)
        {
            if (_first is null)
            {
                _isTicking = false;
                if (!_isDisposed) _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                return;
            }

            IdempotencyClaim? next;
            for (IdempotencyClaim? claim = _first; claim is not null; claim = next)
            {
                ref LeaseNotes lease = ref claim.Lease;
                next = lease.Next;
                bool mayRenew = now - lease.Begun < _longestMs;
                bool isOver = now >= lease.Granted + _leaseMs - _marginMs;
                if (isOver && (lease.IsInDoubt || lease.IsRenewing || !mayRenew))
                {
                    Unlink(claim);
                    (lost ??= []).Add(claim);
                }
                else if (now >= lease.RenewAt && !lease.IsRenewing && mayRenew)
                {
                    lease.IsRenewing = true;
                    (renew ??= []).Add(claim);
                }
            }
        }

        foreach (IdempotencyClaim claim in lost ?? []) Apart(new TellLost(this, claim));
        foreach (IdempotencyClaim claim in renew ?? []) Apart(new Renewal(this, claim, now));
    }

    /// <summary>Each by itself: a store, or who hears of a loss, may hold up the thread, and the other leases run on. On a user's time it happens in the
    /// timer, as everything does.</summary>
    private void Apart(IThreadPoolWorkItem work)
    {
        if (_clock.IsSystem) _clock.Post(work);
        else work.Execute();
    }

    private sealed class TellLost(LeaseKeeper keeper, IdempotencyClaim claim) : IThreadPoolWorkItem
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
        catch (Exception error)
        {
            Safely.Report("idempotency renewal", error);
        }

        bool isLost = false;
        lock (_gate)
        {
            ref LeaseNotes lease = ref claim.Lease;
            lease.IsRenewing = false;
            lease.IsInDoubt = isHeld is null;
            if (!lease.IsOpen) return; // ended meanwhile, or lost
            if (isHeld == true)
            {
                lease.Granted = asked;
                lease.RenewAt = NextRenewal(asked);
            }
            else if (isHeld == false)
            {
                Unlink(claim);
                isLost = true;
            }
        }

        if (isLost) _lost(claim);
    }

    private void Link(IdempotencyClaim claim)
    {
        claim.Lease.IsOpen = true;
        claim.Lease.Previous = _last;
        if (_last is null) _first = claim;
        else _last.Lease.Next = claim;
        _last = claim;
    }

    private void Unlink(IdempotencyClaim claim)
    {
        ref LeaseNotes lease = ref claim.Lease;
        if (lease.Previous is null) _first = lease.Next;
        else lease.Previous.Lease.Next = lease.Next;
        if (lease.Next is null) _last = lease.Previous;
        else lease.Next.Lease.Previous = lease.Previous;
        lease.Previous = lease.Next = null;
        lease.IsOpen = false;
    }

    /// <summary>A third of the lease later, a tenth more or less, so that claims that began together do not renew together.</summary>
    private long NextRenewal(long granted) => granted + (long)(_leaseMs / 3.0 * (0.9 + (0.2 * Safely.Draw(_randomness, 0))));
}
