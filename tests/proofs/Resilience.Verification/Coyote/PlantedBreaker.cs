namespace Resilience.Verification.Coyote;

internal enum Flaw
{
    /// <summary>None: this breaker passes every check.</summary>
    None,

    /// <summary>A failure is added by reading and writing.</summary>
    LostUpdate,

    /// <summary>An open circuit becomes half open without asking who was first.</summary>
    TwoProbes,

    /// <summary>Who loses the race for the probe goes through all the same.</summary>
    LoserPasses,

    /// <summary>A result is counted whatever epoch its permit is of.</summary>
    StaleResult,

    /// <summary>The listener is told inside the loop, before the swap is known to succeed.</summary>
    ImpureEffect,

    /// <summary>A probe without news does not give its place back.</summary>
    LeakedPermit,

    /// <summary>A probe that never comes back is waited for without end.</summary>
    NoLease,
}

/// <summary>A small breaker of the same kind (epochs behind one reference), with one flaw.</summary>
internal sealed class PlantedBreaker(Flaw flaw, ScenarioClock clock, Action<CircuitChanged> onChange) : ISubject
{
    private PlantedEpoch _epoch = new(CircuitState.Closed, 1, 0, 0);

    public CircuitState State => Volatile.Read(ref _epoch) is { State: CircuitState.Open } open && Now >= open.UntilMs ? CircuitState.HalfOpen : _epoch.State;

    public long Epoch => Volatile.Read(ref _epoch).Epoch;

    public (int Run, int Out, int Good) Words => _epoch switch
    {
        { State: CircuitState.Closed } closed => (closed.Count, 0, 0),
        { State: CircuitState.HalfOpen } half => (0, half.Count, 0),
        _ => default,
    };

    private long Now => clock.GetTimestamp();

    public (CircuitAdmission Answer, Receipt Receipt) Enter()
    {
        while (true)
        {
            PlantedEpoch epoch = Volatile.Read(ref _epoch);
            switch (epoch.State)
            {
                case CircuitState.Closed:
                    return (CircuitAdmission.Admitted, new(epoch.Epoch, default, epoch));
                case CircuitState.Open when Now < epoch.UntilMs:
                    return (CircuitAdmission.RejectedOpen, default);
                case CircuitState.Isolated:
                    return (CircuitAdmission.RejectedIsolated, default);
                case CircuitState.HalfOpen when flaw == Flaw.NoLease || Volatile.Read(ref epoch.Count) == 0 || Now < epoch.UntilMs:
                    if (Interlocked.CompareExchange(ref epoch.Count, 1, 0) != 0) return (CircuitAdmission.RejectedProbesTaken, default);
                    return (CircuitAdmission.AdmittedAsProbe, new(epoch.Epoch, default, epoch));
            }

            PlantedEpoch next = new(CircuitState.HalfOpen, epoch.Epoch + 1, Now + Rules.LeaseMs, 1);
            if (!TryChange(epoch, next, unasked: flaw == Flaw.TwoProbes) && flaw != Flaw.LoserPasses) continue;
            PlantedEpoch seen = Volatile.Read(ref _epoch);
            return (CircuitAdmission.AdmittedAsProbe, new(seen.Epoch, default, seen));
        }
    }

    public CircuitExit Exit(Receipt receipt, Verdict verdict)
    {
        PlantedEpoch current = Volatile.Read(ref _epoch);
        if (flaw != Flaw.StaleResult && !ReferenceEquals(receipt.Token, current)) return CircuitExit.Stale;
        return current.State switch
        {
            CircuitState.Closed => ExitClosed(current, verdict),
            CircuitState.HalfOpen => ExitHalfOpen(current, verdict),
            _ => CircuitExit.Stale,
        };
    }

    public void Isolate() => ChangeByHand(CircuitState.Isolated);

    public void Close() => ChangeByHand(CircuitState.Closed);

    public void Update()
    {
    }

    public void Lower()
    {
    }

    public int Limit => Rules.Failures;

    private CircuitExit ExitClosed(PlantedEpoch epoch, Verdict verdict)
    {
        if (verdict is not (Verdict.Success or Verdict.Failure)) return CircuitExit.Released;
        while (true)
        {
            int seen = Volatile.Read(ref epoch.Count);
            if (seen >= Rules.Failures) return CircuitExit.Stale;
            int next = verdict == Verdict.Success ? 0 : seen + 1;
            if (flaw == Flaw.LostUpdate)
            {
                Volatile.Read(ref epoch.Count);
                Interlocked.Exchange(ref epoch.Count, next);
            }
            else if (Interlocked.CompareExchange(ref epoch.Count, next, seen) != seen)
            {
                continue;
            }

            if (next >= Rules.Failures) TryChange(epoch, new(CircuitState.Open, epoch.Epoch + 1, Now + Rules.BreakMs, 0));
            return CircuitExit.Counted;
        }
    }

    private CircuitExit ExitHalfOpen(PlantedEpoch epoch, Verdict verdict)
    {
        if (verdict == Verdict.Success)
        {
            return TryChange(epoch, new(CircuitState.Closed, epoch.Epoch + 1, 0, 0)) ? CircuitExit.Counted : CircuitExit.Stale;
        }

        if (verdict == Verdict.Failure)
        {
            return TryChange(epoch, new(CircuitState.Open, epoch.Epoch + 1, Now + Rules.BreakMs, 0)) ? CircuitExit.Counted : CircuitExit.Stale;
        }

        if (flaw != Flaw.LeakedPermit) Interlocked.Exchange(ref epoch.Count, 0);
        return CircuitExit.Released;
    }

    private void ChangeByHand(CircuitState state)
    {
        while (true)
        {
            PlantedEpoch epoch = Volatile.Read(ref _epoch);
            if (epoch.State == state && state == CircuitState.Isolated) return;
            if (TryChange(epoch, new(state, epoch.Epoch + 1, 0, 0))) return;
        }
    }

    private bool TryChange(PlantedEpoch from, PlantedEpoch to, bool unasked = false)
    {
        CircuitChanged change = new("", "planted", from.State, to.State, to.Epoch, default, null);
        if (flaw == Flaw.ImpureEffect) onChange(change);
        if (unasked) Interlocked.Exchange(ref _epoch, to);
        else if (Interlocked.CompareExchange(ref _epoch, to, from) != from) return false;
        if (flaw != Flaw.ImpureEffect && change is not { From: CircuitState.Closed, To: CircuitState.Closed }) onChange(change);
        return true;
    }

    private sealed class PlantedEpoch(CircuitState state, long epoch, long untilMs, int count)
    {
        internal readonly CircuitState State = state;
        internal readonly long Epoch = epoch;
        internal readonly long UntilMs = untilMs; // open: when probing may begin; half open: the lease
        internal int Count = count; // closed: failures in a row; half open: probes out
    }
}
