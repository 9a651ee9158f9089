namespace Resilience.Tests.CircuitBreaking;

/// <summary>What the checks need of a breaker, so that the real one, the slow twin and the planted ones stand the same checks.</summary>
internal interface IBreaker
{
    (CircuitAdmission Entry, object? Permit) Enter();

    CircuitExit Exit(object? permit, Verdict verdict);

    CircuitState State { get; }

    long EpochOf(object permit);

    void Isolate();

    void Close();

    void Update(CircuitBreakerOptions options) => throw new NotSupportedException();
}

internal sealed class RealBreaker(CircuitBreakerOptions options, TimeProvider time) : IBreaker
{
    public CircuitBreaker Breaker { get; } = new(options, time);

    public CircuitState State => Breaker.State;

    public long EpochOf(object permit) => ((CircuitPermit)permit).Epoch;

    public (CircuitAdmission Entry, object? Permit) Enter()
    {
        CircuitAdmission entry = Breaker.TryEnter(out CircuitPermit permit);
        return (entry, entry < CircuitAdmission.RejectedOpen ? permit : null);
    }

    public CircuitExit Exit(object? permit, Verdict verdict) => Breaker.Exit(permit is CircuitPermit given ? given : default, verdict);

    public void Isolate() => Breaker.Isolate();

    public void Close() => Breaker.Close();

    public void Update(CircuitBreakerOptions options) => Breaker.Update(options);
}

/// <summary>The slow twin: the same machine with a lock and plain lists, written from the specification to be read by anyone. The oracle of the behaviour
/// tests.</summary>
internal sealed class ReferenceBreaker(CircuitBreakerOptions first, TimeProvider time) : IBreaker
{
    private CircuitBreakerOptions _options = first;

    private sealed record Permit(int Epoch, TimeSpan Started, bool Observer);

    private readonly object _gate = new();
    private readonly long _origin = time.GetTimestamp();
    private readonly List<(TimeSpan At, bool Failed)> _calls = [];
    private readonly List<(TimeSpan At, bool Slow)> _timed = [];
    private readonly List<TimeSpan> _run = [];
    private readonly List<Permit> _out = [];
    private CircuitState _state;
    private int _epoch = 1;
    private int _level = -1;
    private int _good;
    private uint _rampCount;
    private TimeSpan _since, _until, _lastProbe, _rampEnds;

    private TimeSpan Now => time.GetElapsedTime(_origin);

    public long EpochOf(object permit) => ((Permit)permit).Epoch;

    private int Threshold => _options.SuccessThreshold ?? _options.Probes;

    public CircuitState State
    {
        get
        {
            lock (_gate) return _state == CircuitState.Open && Now >= _until ? CircuitState.HalfOpen : _state;
        }
    }

    public (CircuitAdmission Entry, object? Permit) Enter()
    {
        lock (_gate)
        {
            CircuitAdmission entry = Decide();
            bool watched = entry is CircuitAdmission.RejectedOpen or CircuitAdmission.RejectedProbesTaken or CircuitAdmission.RejectedRamping
                && _options.DryRun;
            if (watched && _options.DryRun) return (CircuitAdmission.AdmittedInDryRun, new Permit(_epoch, Now, true));
            if (entry >= CircuitAdmission.RejectedOpen) return (entry, null);
            Permit permit = new(_epoch, Now, false);
            _out.Add(permit);
            if (entry == CircuitAdmission.AdmittedAsProbe) _lastProbe = Now;
            return (entry, permit);
        }
    }

    private CircuitAdmission Decide()
    {
        if (_state == CircuitState.Isolated) return CircuitAdmission.RejectedIsolated;
        if (_state == CircuitState.Closed)
        {
            if (_options.SlowCallThreshold is { } slow && _out.Any(p => p.Epoch == _epoch && Now - p.Started >= slow)) JudgeSlow();
            if (_state == CircuitState.Closed) return Ramp();
        }

        if (_state == CircuitState.Open)
        {
            if (Now < _until) return CircuitAdmission.RejectedOpen;
            Begin(CircuitState.HalfOpen);
        }

        int probesOut = _out.Count(p => p.Epoch == _epoch);
        if (probesOut > 0 && Now >= _lastProbe + _options.ProbeLease)
        {
            Begin(CircuitState.HalfOpen);
            probesOut = 0;
        }

        return probesOut < _options.Probes && _good + probesOut < Threshold ? CircuitAdmission.AdmittedAsProbe : CircuitAdmission.RejectedProbesTaken;
    }

    private CircuitAdmission Ramp()
    {
        if (Now >= _rampEnds) return CircuitAdmission.Admitted;
        double share = Share();
        _rampCount++;
        return unchecked(_rampCount * 2654435769u) < share * 4294967296.0 ? CircuitAdmission.Admitted : CircuitAdmission.RejectedRamping;
    }

    private double Share() => Now >= _rampEnds ? 1 : _options.RampFrom + ((1 - _options.RampFrom) * ((Now - _since) / (_rampEnds - _since)));

    private int Minimum() => Math.Max(1, (int)Math.Ceiling(_options.MinimumCalls * Share()));

    public CircuitExit Exit(object? permit, Verdict verdict)
    {
        lock (_gate)
        {
            if (permit is not Permit given || !(given.Observer || _out.Remove(given)) || given.Epoch != _epoch) return CircuitExit.Stale;
            if (given.Observer || verdict is not (Verdict.Success or Verdict.Failure)) return CircuitExit.Released;
            bool slow = _options.SlowCallThreshold is { } threshold && Now - given.Started >= threshold;
            if (_state == CircuitState.HalfOpen)
            {
                if (verdict == Verdict.Failure || slow) Open(_level + 1);
                else if (++_good >= Threshold) CloseAfterProbing();
                return CircuitExit.Counted;
            }

            if (_state != CircuitState.Closed) return CircuitExit.Released;
            Count(verdict == Verdict.Failure, slow);
            return CircuitExit.Counted;
        }
    }

    private void Count(bool failed, bool slow)
    {
        _calls.Add((Now, failed));
        if (_options.SlowCallThreshold is not null)
        {
            _timed.Add((Now, slow));
            if (!failed) _run.Clear();
            if (slow) JudgeSlow();
            if (_state != CircuitState.Closed) return;
        }

        if (!failed)
        {
            _run.Clear();
            return;
        }

        _run.Add(Now);
        if (_options.ConsecutiveFailures is { } n && _run.Count >= n
            && (_options.ConsecutiveFailuresWithin is not { } within || _run[^1] - _run[^n] <= within))
        {
            Trip();
            return;
        }

        if (_options.FailureRatio is not { } ratio) return;
        List<(TimeSpan At, bool Failed)> window = Window(_calls);
        int bad = window.Count(c => c.Failed);
        if (window.Count >= Minimum() && bad >= ratio * window.Count) Trip();
    }

    private void JudgeSlow()
    {
        List<(TimeSpan At, bool Slow)> window = Window(_timed);
        int overdue = _out.Count(p => p.Epoch == _epoch && Now - p.Started >= _options.SlowCallThreshold);
        int calls = window.Count + overdue, bad = window.Count(c => c.Slow) + overdue;
        if (calls >= Minimum() && bad > 0 && bad >= _options.SlowCallRatio * calls) Trip();
    }

    private List<(TimeSpan At, bool)> Window(List<(TimeSpan At, bool)> all) => _options.SamplingCalls is { } calls
        ? [.. all.TakeLast(calls)]
        : [.. all.Where(c => c.At > Now - _options.SamplingDuration)];

    private void Trip() => Open((int)Math.Max(0, _level + 1 - Math.Floor((Now - _since) / _options.BreakDecay)));

    private void Open(int level)
    {
        Begin(CircuitState.Open);
        int max = 0;
        while (_options.BreakGrowth > 1
            && _options.BreakDuration.TotalMilliseconds * Math.Pow(_options.BreakGrowth, max) < _options.MaxBreakDuration.TotalMilliseconds) max++;
        level = Math.Min(level, max);
        _level = level;
        double ms = Math.Min(_options.BreakDuration.TotalMilliseconds * Math.Pow(_options.BreakGrowth, level), _options.MaxBreakDuration.TotalMilliseconds);
        _until = Now + TimeSpan.FromMilliseconds(Math.Ceiling(ms));
    }

    private void CloseAfterProbing()
    {
        Begin(CircuitState.Closed);
        _rampEnds = Now + _options.RampDuration;
    }

    private void Begin(CircuitState state)
    {
        _state = state;
        _epoch++;
        _since = Now;
        _good = 0;
        _rampCount = 0;
        _rampEnds = default;
        _calls.Clear();
        _timed.Clear();
        _run.Clear();
        _out.Clear();
    }

    public void Isolate()
    {
        lock (_gate)
        {
            if (_state != CircuitState.Isolated) Begin(CircuitState.Isolated);
        }
    }

    public void Close()
    {
        lock (_gate)
        {
            Begin(CircuitState.Closed);
            _level = -1;
        }
    }

    public void Update(CircuitBreakerOptions next)
    {
        lock (_gate)
        {
            if (_options.SamplingCalls is { } calls && _calls.Count > calls) _calls.RemoveRange(0, _calls.Count - calls); // forgotten is forgotten
            if (_options.ConsecutiveFailures is null) _run.Clear(); // a rule that was off begins with nothing
            _options = next;
            if (_state == CircuitState.Closed && _options is { ConsecutiveFailures: { } n, ConsecutiveFailuresWithin: null } && _run.Count >= n) Trip();
            else if (_state == CircuitState.HalfOpen && _good >= Threshold) CloseAfterProbing();
        }
    }
}

/// <summary>Which defect is planted.</summary>
internal enum Defect
{
    None,

    /// <summary>A failure is counted by read, add, write: two at once count as one.</summary>
    LostUpdate,

    /// <summary>Open to half open by write instead of compare-and-swap: two callers are both the probe.</summary>
    TwoProbes,

    /// <summary>Results are counted whatever epoch their permit is from (Polly #216, resilience4j, Failsafe).</summary>
    StaleResultCounts,

    /// <summary>An ignored outcome keeps the probe's place for ever (resilience4j #935, #2172).</summary>
    LeakedProbe,

    /// <summary>A cancelled probe closes the circuit (Polly: "not handled" is a success).</summary>
    IgnoredProbeCloses,

    /// <summary>A probe that never reports is waited for for ever.</summary>
    NoLease,

    /// <summary>The loser of open to half open is let through (resilience4j #1432).</summary>
    LoserPasses,

    /// <summary>The event of a change is raised inside the loop, before it is known who won (resilience4j #2038).</summary>
    ImpureEffect,
}

/// <summary>A small compare-and-swap breaker in the tree only to be wrong in a chosen way: opens after two failures in a row, one probe, break 5 s, lease 30
/// s.</summary>
internal sealed class PlantedBreaker(Defect defect, TimeProvider time) : IBreaker
{
    private sealed record Permit(int Epoch);

    // epoch 28 | failures 16 | out 2 | state 2, and the time of the last change or probe beside it (racy, which is part of being small)
    private long _word = Pack(1, 0, 0, CircuitState.Closed);
    private long _untilMs; // of the break; means nothing in other states
    private long _leaseMs; // of the probe; written before it is sent, so that no thread finds an old one
    private readonly long _origin = time.GetTimestamp();

    public long EpochOf(object permit) => ((Permit)permit).Epoch;

    public int Events;
    public int Changes;

    private static long Pack(int epoch, int failures, int probesOut, CircuitState state) =>
        ((long)epoch << 20) | ((long)failures << 4) | ((long)probesOut << 2) | (long)state;

    private static (int Epoch, int Failures, int Out, CircuitState State) Unpack(long w) =>
        ((int)(w >> 20), (int)((w >> 4) & 0xFFFF), (int)((w >> 2) & 3), (CircuitState)(w & 3));

    private long Now => (long)time.GetElapsedTime(_origin).TotalMilliseconds;

    public CircuitState State => Unpack(Volatile.Read(ref _word)) is { State: CircuitState.Open } && Now >= Volatile.Read(ref _untilMs)
        ? CircuitState.HalfOpen
        : Unpack(Volatile.Read(ref _word)).State;

    private int _inWindow;

    /// <summary>Between the look and the operation of a defect: waits a little for a second thread, so that two meet there on a busy machine too.</summary>
    private void Window()
    {
        Interlocked.Increment(ref _inWindow);
        for (int i = 0; i < 500 && Volatile.Read(ref _inWindow) < 2; i++) Thread.SpinWait(4);
    }

    private bool Change(long from, long to)
    {
        if (defect == Defect.LoserPasses) Window();
        bool isTransition = Unpack(from).Epoch != Unpack(to).Epoch;
        if (isTransition && defect == Defect.ImpureEffect)
        {
            Window();
            Interlocked.Increment(ref Events);
        }

        if (Interlocked.CompareExchange(ref _word, to, from) != from) return false;
        if (!isTransition) return true;
        Interlocked.Increment(ref Changes);
        if (defect != Defect.ImpureEffect) Interlocked.Increment(ref Events);
        return true;
    }

    public (CircuitAdmission Entry, object? Permit) Enter()
    {
        while (true)
        {
            long seen = Volatile.Read(ref _word);
            (int epoch, _, int probesOut, CircuitState state) = Unpack(seen);
            if (state == CircuitState.Closed) return (CircuitAdmission.Admitted, new Permit(epoch));
            if (state == CircuitState.Isolated) return (CircuitAdmission.RejectedIsolated, null);
            if (state == CircuitState.Open && Now < Volatile.Read(ref _untilMs)) return (CircuitAdmission.RejectedOpen, null);
            bool lost = state == CircuitState.HalfOpen && probesOut > 0 && Now >= Volatile.Read(ref _leaseMs) && defect != Defect.NoLease;
            if (state == CircuitState.HalfOpen && probesOut > 0 && !lost) return (CircuitAdmission.RejectedProbesTaken, null);
            int next = state == CircuitState.Open || lost ? epoch + 1 : epoch;
            long to = Pack(next, 0, 1, CircuitState.HalfOpen);
            Volatile.Write(ref _leaseMs, Now + 30_000);
            if (defect == Defect.TwoProbes)
            {
                Window();
                Volatile.Write(ref _word, to);
            }
            else if (!Change(seen, to))
            {
                if (defect == Defect.LoserPasses) return (CircuitAdmission.AdmittedAsProbe, new Permit(next));
                continue;
            }

            return (CircuitAdmission.AdmittedAsProbe, new Permit(next));
        }
    }

    public CircuitExit Exit(object? permit, Verdict verdict)
    {
        if (permit is not Permit given) return CircuitExit.Stale;
        while (true)
        {
            long seen = Volatile.Read(ref _word);
            (int epoch, int failures, int probesOut, CircuitState state) = Unpack(seen);
            if (given.Epoch != epoch && defect != Defect.StaleResultCounts) return CircuitExit.Stale;
            if (state is CircuitState.Open or CircuitState.Isolated) return CircuitExit.Stale;
            bool counts = verdict is Verdict.Success or Verdict.Failure;
            if (!counts && defect == Defect.IgnoredProbeCloses && state == CircuitState.HalfOpen) verdict = Verdict.Success;
            else if (!counts)
            {
                if (state == CircuitState.Closed || defect == Defect.LeakedProbe) return CircuitExit.Released;
                if (Change(seen, Pack(epoch, 0, 0, CircuitState.HalfOpen))) return CircuitExit.Released;
                continue;
            }

            long to = (state, verdict) switch
            {
                (CircuitState.Closed, Verdict.Success) => Pack(epoch, 0, 0, state),
                (CircuitState.Closed, _) when failures + 1 < 2 => Pack(epoch, failures + 1, 0, state),
                (CircuitState.HalfOpen, Verdict.Success) => Pack(epoch + 1, 0, 0, CircuitState.Closed),
                _ => Pack(epoch + 1, 0, probesOut * 0, CircuitState.Open),
            };
            if (Unpack(to).State == CircuitState.Open) Volatile.Write(ref _untilMs, Now + 5000);
            if (defect == Defect.LostUpdate && Unpack(to).Epoch == epoch)
            {
                Window();
                Volatile.Write(ref _word, to);
                return CircuitExit.Counted;
            }

            if (Change(seen, to)) return CircuitExit.Counted;
        }
    }

    public void Isolate() => throw new NotSupportedException();

    public void Close() => throw new NotSupportedException();
}
