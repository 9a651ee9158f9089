namespace Resilience;

/// <summary>What the keeper knows of one claim. Times are milliseconds of the gate's clock.</summary>
internal sealed class LeaseNotes(long asked)
{
    /// <summary>When the first claim was asked for: execution is measured from here.</summary>
    internal readonly long Begun = asked;

    /// <summary>When the request was sent that the store granted last: the lease cannot have begun earlier.</summary>
    internal long Granted = asked;

    /// <summary>When to renew next.</summary>
    internal long RenewAt;

    /// <summary>A renewal is under way.</summary>
    internal bool IsRenewing;

    /// <summary>The last renewal failed, so that it is not known whether the claim stands.</summary>
    internal bool IsInDoubt;

    internal LinkedListNode<IdempotencyClaim>? Node;
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

    private readonly LinkedList<IdempotencyClaim> _claims = new(); // guarded by itself
    private readonly Clock _clock;
    private readonly Randomness _randomness;
    private readonly long _leaseMs;
    private readonly long _marginMs;
    private readonly long _longestMs;
    private readonly TimeSpan _tick;
    private readonly Func<IdempotencyClaim, ValueTask<bool>> _renew;
    private readonly Action<IdempotencyClaim> _lost;
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
        lock (_claims)
        {
            claim.Lease.Node = _claims.AddLast(claim);
            if (_isTicking || _isDisposed) return;
            _isTicking = true;
            _timer ??= CreateTimer();
            _timer.Change(_tick, _tick);
        }
    }

    internal void Remove(IdempotencyClaim claim)
    {
        lock (_claims)
        {
            if (claim.Lease.Node is not { } node) return;
            claim.Lease.Node = null;
            _claims.Remove(node);
        }
    }

    public void Dispose()
    {
        ITimer? timer;
        lock (_claims)
        {
            _isDisposed = true;
            timer = _timer;
        }

        timer?.Dispose();
    }

    /// <summary>The timer must not carry the first caller's context (his principal, his trace) for ever.</summary>
    private ITimer CreateTimer()
    {
        if (ExecutionContext.IsFlowSuppressed()) return Create();
        using (ExecutionContext.SuppressFlow()) return Create();

        ITimer Create() => _clock.Provider.CreateTimer(
            static state => ((LeaseKeeper)state!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private void Tick()
    {
        long now = _clock.NowMs;
        List<IdempotencyClaim>? renew = null, lost = null;
        lock (_claims)
        {
            if (_claims.Count == 0)
            {
                _isTicking = false;
                if (!_isDisposed) _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                return;
            }

            LinkedListNode<IdempotencyClaim>? next;
            for (LinkedListNode<IdempotencyClaim>? node = _claims.First; node is not null; node = next)
            {
                next = node.Next;
                LeaseNotes lease = node.Value.Lease;
                bool mayRenew = now - lease.Begun < _longestMs;
                bool isOver = now >= lease.Granted + _leaseMs - _marginMs;
                if (isOver && (lease.IsInDoubt || lease.IsRenewing || !mayRenew))
                {
                    lease.Node = null;
                    _claims.Remove(node);
                    (lost ??= []).Add(node.Value);
                }
                else if (now >= lease.RenewAt && !lease.IsRenewing && mayRenew)
                {
                    lease.IsRenewing = true;
                    (renew ??= []).Add(node.Value);
                }
            }
        }

        foreach (IdempotencyClaim claim in lost ?? []) _lost(claim);
        foreach (IdempotencyClaim claim in renew ?? []) _ = RenewAsync(claim, now);
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
        lock (_claims)
        {
            LeaseNotes lease = claim.Lease;
            lease.IsRenewing = false;
            lease.IsInDoubt = isHeld is null;
            if (lease.Node is not { } node) return; // ended meanwhile, or lost
            if (isHeld == true)
            {
                lease.Granted = asked;
                lease.RenewAt = NextRenewal(asked);
            }
            else if (isHeld == false)
            {
                lease.Node = null;
                _claims.Remove(node);
                isLost = true;
            }
        }

        if (isLost) _lost(claim);
    }

    /// <summary>A third of the lease later, a tenth more or less, so that claims that began together do not renew together.</summary>
    private long NextRenewal(long granted) => granted + (long)(_leaseMs / 3.0 * (0.9 + (0.2 * _randomness.NextDouble())));
}
