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

    /// <summary>A result is counted whatever era its permit is of.</summary>
    StaleResult,

    /// <summary>The listener is told inside the loop, before the swap is known to succeed.</summary>
    ImpureEffect,

    /// <summary>A probe without news does not give its place back.</summary>
    LeakedPermit,

    /// <summary>A probe that never comes back is waited for without end.</summary>
    NoLease,
}

/// <summary>A small breaker of the same kind (eras behind one reference), with one flaw.</summary>
internal sealed class PlantedBreaker(Flaw flaw, ScenarioClock clock, Action<CircuitChanged> onChange) : ISubject
{
    private Reign _reign = new(CircuitState.Closed, 1, 0, 0);

    public CircuitState State => Volatile.Read(ref _reign) is { State: CircuitState.Open } open && Now >= open.UntilMs ? CircuitState.HalfOpen : _reign.State;

    public long Epoch => Volatile.Read(ref _reign).Epoch;

    public (int Run, int Out, int Good) Words => _reign switch
    {
        { State: CircuitState.Closed } closed => (closed.Count, 0, 0),
        { State: CircuitState.HalfOpen } half => (0, half.Count, 0),
        _ => default,
    };

    private long Now => clock.GetTimestamp();

    public (CircuitEntry Answer, Receipt Receipt) Enter()
    {
        while (true)
        {
            Reign reign = Volatile.Read(ref _reign);
            switch (reign.State)
            {
                case CircuitState.Closed:
                    return (CircuitEntry.Admitted, new(reign.Epoch, default, reign));
                case CircuitState.Open when Now < reign.UntilMs:
                    return (CircuitEntry.RefusedOpen, default);
                case CircuitState.Isolated:
                    return (CircuitEntry.RefusedIsolated, default);
                case CircuitState.HalfOpen when flaw == Flaw.NoLease || Volatile.Read(ref reign.Count) == 0 || Now < reign.UntilMs:
                    if (Interlocked.CompareExchange(ref reign.Count, 1, 0) != 0) return (CircuitEntry.RefusedProbesTaken, default);
                    return (CircuitEntry.AdmittedAsProbe, new(reign.Epoch, default, reign));
            }

            Reign next = new(CircuitState.HalfOpen, reign.Epoch + 1, Now + Rules.LeaseMs, 1);
            if (!TryChange(reign, next, unasked: flaw == Flaw.TwoProbes) && flaw != Flaw.LoserPasses) continue;
            Reign seen = Volatile.Read(ref _reign);
            return (CircuitEntry.AdmittedAsProbe, new(seen.Epoch, default, seen));
        }
    }

    public CircuitExit Exit(Receipt receipt, Verdict verdict)
    {
        Reign current = Volatile.Read(ref _reign);
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

    private CircuitExit ExitClosed(Reign reign, Verdict verdict)
    {
        if (verdict is not (Verdict.Success or Verdict.Failure)) return CircuitExit.Released;
        while (true)
        {
            int seen = Volatile.Read(ref reign.Count);
            if (seen >= Rules.Failures) return CircuitExit.Stale;
            int next = verdict == Verdict.Success ? 0 : seen + 1;
            if (flaw == Flaw.LostUpdate)
            {
                Volatile.Read(ref reign.Count);
                Interlocked.Exchange(ref reign.Count, next);
            }
            else if (Interlocked.CompareExchange(ref reign.Count, next, seen) != seen)
            {
                continue;
            }

            if (next >= Rules.Failures) TryChange(reign, new(CircuitState.Open, reign.Epoch + 1, Now + Rules.BreakMs, 0));
            return CircuitExit.Counted;
        }
    }

    private CircuitExit ExitHalfOpen(Reign reign, Verdict verdict)
    {
        if (verdict == Verdict.Success)
        {
            return TryChange(reign, new(CircuitState.Closed, reign.Epoch + 1, 0, 0)) ? CircuitExit.Counted : CircuitExit.Stale;
        }

        if (verdict == Verdict.Failure)
        {
            return TryChange(reign, new(CircuitState.Open, reign.Epoch + 1, Now + Rules.BreakMs, 0)) ? CircuitExit.Counted : CircuitExit.Stale;
        }

        if (flaw != Flaw.LeakedPermit) Interlocked.Exchange(ref reign.Count, 0);
        return CircuitExit.Released;
    }

    private void ChangeByHand(CircuitState state)
    {
        while (true)
        {
            Reign reign = Volatile.Read(ref _reign);
            if (reign.State == state && state == CircuitState.Isolated) return;
            if (TryChange(reign, new(state, reign.Epoch + 1, 0, 0))) return;
        }
    }

    private bool TryChange(Reign from, Reign to, bool unasked = false)
    {
        CircuitChanged change = new("", "planted", from.State, to.State, to.Epoch, default, null);
        if (flaw == Flaw.ImpureEffect) onChange(change);
        if (unasked) Interlocked.Exchange(ref _reign, to);
        else if (Interlocked.CompareExchange(ref _reign, to, from) != from) return false;
        if (flaw != Flaw.ImpureEffect && change is not { From: CircuitState.Closed, To: CircuitState.Closed }) onChange(change);
        return true;
    }

    private sealed class Reign(CircuitState state, long epoch, long untilMs, int count)
    {
        internal readonly CircuitState State = state;
        internal readonly long Epoch = epoch;
        internal readonly long UntilMs = untilMs; // open: when probing may begin; half open: the lease
        internal int Count = count; // closed: failures in a row; half open: probes out
    }
}
