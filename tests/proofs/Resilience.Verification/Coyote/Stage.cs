namespace Resilience.Verification.Coyote;

internal enum Situation
{
    Closed,
    ClosedOneFailure,
    Open,
    Due,
    ProbeOut,
    TwoProbesOut,
    ProbeLost,
    Ramping,
    Isolated,
}

internal enum Operation
{
    Enter,
    Success,
    Failure,
    Ignored,
    Isolate,
    Close,
    PastBreak,
    PastLease,
    Update,
    Lower,
}

/// <summary>One breaker in one situation, what was done to it, and what it told.</summary>
internal sealed class Stage
{
    private readonly List<CircuitChanged> _events = [];
    private readonly List<Receipt> _receipts = []; // one for each thread, of the epoch of the situation if it has them
    private readonly string[] _answers;
    private readonly Operation[] _operations;
    private readonly int _probes;
    private readonly Dictionary<long, int> _probesSent = [];
    private readonly Dictionary<long, int> _probesBack = [];
    private readonly Dictionary<(long Epoch, Verdict Verdict), int> _counted = [];
    private readonly ISubject _subject;
    private readonly ScenarioClock _clock = new();
    private readonly long _probesOfEarlierEpochs;

    internal Stage(Situation situation, Operation[] operations, Flaw? planted)
    {
        _operations = operations;
        _answers = new string[operations.Length];
        _probes = situation == Situation.TwoProbesOut ? 2 : 1;
        _subject = planted is { } flaw
            ? new PlantedBreaker(flaw, _clock, Hear)
            : new RealBreaker(_clock, _probes, situation == Situation.Ramping, Hear);
        for (int i = 0; i < operations.Length; i++) _receipts.Add(Enter());
        Prepare(situation);
        _probesOfEarlierEpochs = _subject.Epoch;
    }

    /// <summary>The answers and what can be seen at rest. Epochs are left out: a change that was overtaken by another is not made, although
    /// one after the other both would be.</summary>
    internal string Outcome => $"{string.Join(", ", _answers)} | {_subject.State} {_subject.Words}";

    internal void Perform(int thread)
    {
        switch (_operations[thread])
        {
            case Operation.Enter: _answers[thread] = Answer(_subject.Enter()); break;
            case Operation.Success: _answers[thread] = Exit(thread, Verdict.Success); break;
            case Operation.Failure: _answers[thread] = Exit(thread, Verdict.Failure); break;
            case Operation.Ignored: _answers[thread] = Exit(thread, Verdict.Ignored); break;
            case Operation.Isolate: _subject.Isolate(); break;
            case Operation.Close: _subject.Close(); break;
            case Operation.PastBreak: _clock.Advance(Rules.BreakMs); break;
            case Operation.PastLease: _clock.Advance(Rules.LeaseMs); break;
            case Operation.Lower: _subject.Lower(); break;
            default: _subject.Update(); break;
        }
    }

    /// <summary>Everything that must hold when all threads are done. Null, or what does not.</summary>
    internal string? Complaint() => EventsAreWhole() ?? ProbesAreFew() ?? ChangesAreEarned() ?? FailuresAreNotLost() ?? NothingIsWedged();

    /// <summary>A number is passed over where a closed circuit was closed by hand: a new epoch, and no change.</summary>
    private string? EventsAreWhole()
    {
        CircuitState state = CircuitState.Closed;
        long epoch = 1, passedOver = 0;
        foreach (CircuitChanged told in _events)
        {
            if (told.Epoch <= epoch || told.From != state || (told.From == told.To && told.To != CircuitState.HalfOpen))
                return $"an event is {told.From} to {told.To}, epoch {told.Epoch}, after {state}, epoch {epoch}";
            passedOver += told.Epoch - epoch - 1;
            (state, epoch) = (told.To, told.Epoch);
        }

        passedOver += _subject.Epoch - epoch;
        return passedOver <= _operations.Count(o => o == Operation.Close) ? null : $"{_events.Count} events, but the epoch is {_subject.Epoch}";
    }

    private string? ProbesAreFew()
    {
        foreach ((long epoch, int sent) in _probesSent)
        {
            int back = _probesBack.GetValueOrDefault(epoch);
            if (sent - back > _probes) return $"{sent} probes were sent in epoch {epoch}, {back} came back";
        }

        return null;
    }

    /// <summary>Each change was made by a caller that was entitled to it: a permit of the very epoch that ended, or a person.</summary>
    private string? ChangesAreEarned()
    {
        int fewest = _operations.Contains(Operation.Lower) ? 1 : Rules.Failures;
        foreach (CircuitChanged change in _events)
        {
            long ended = change.Epoch - 1;
            bool earned = (change.From, change.To) switch
            {
                (_, CircuitState.Isolated) => true,
                (CircuitState.Closed, CircuitState.Open) => _counted.GetValueOrDefault((ended, Verdict.Failure)) >= fewest,
                (CircuitState.HalfOpen, CircuitState.Open) => _counted.GetValueOrDefault((ended, Verdict.Failure)) >= 1,
                (CircuitState.HalfOpen, CircuitState.Closed) =>
                    _counted.GetValueOrDefault((ended, Verdict.Success)) >= _probes || _operations.Contains(Operation.Close),
                (_, CircuitState.Closed) => ended < _probesOfEarlierEpochs || _operations.Contains(Operation.Close),
                (_, CircuitState.HalfOpen) => _probesSent.GetValueOrDefault(change.Epoch) >= 1,
                _ => false,
            };
            if (!earned) return $"no caller of epoch {ended} was entitled to the change from {change.From} to {change.To}";
        }

        return null;
    }

    private string? FailuresAreNotLost()
    {
        long epoch = _subject.Epoch;
        bool isOver = _counted.GetValueOrDefault((epoch, Verdict.Failure)) >= _subject.Limit && _counted.GetValueOrDefault((epoch, Verdict.Success)) == 0;
        return isOver ? $"{_subject.Limit} failures were counted in epoch {epoch}, and it goes on" : null;
    }

    /// <summary>Whatever became of probes: when break, lease and ramp are over, a call gets in, unless a person forbids it.</summary>
    private string? NothingIsWedged()
    {
        if (_subject.State == CircuitState.Isolated) return null;
        (CircuitState state, (int, int Out, int) words) = (_subject.State, _subject.Words);
        if (state == CircuitState.HalfOpen && _operations.Contains(Operation.Ignored) && _probesSent.TryGetValue(_subject.Epoch, out int sent)
            && sent == _probesBack.GetValueOrDefault(_subject.Epoch) && words.Out > 0)
        {
            return "all probes came back, and a place is still taken";
        }

        _clock.Advance(Rules.BreakMs + Rules.LeaseMs + Rules.RampMs);
        CircuitAdmission answer = _subject.Enter().Answer;
        return answer < CircuitAdmission.RejectedOpen ? null : $"long after everything the answer is {answer}";
    }

    private void Prepare(Situation situation)
    {
        if (situation == Situation.Closed) return;
        if (situation == Situation.Isolated)
        {
            _subject.Isolate();
            return;
        }

        Count(Verdict.Failure, Enter());
        if (situation == Situation.ClosedOneFailure) return;
        Count(Verdict.Failure, Enter());
        if (situation == Situation.Open) return;
        _clock.Advance(Rules.BreakMs);
        if (situation == Situation.Due) return;
        _receipts[0] = Enter();
        if (situation == Situation.TwoProbesOut) _receipts[1] = Enter();
        if (situation == Situation.ProbeLost) _clock.Advance(Rules.LeaseMs);
        if (situation != Situation.Ramping) return;
        Count(Verdict.Success, _receipts[0]);
        _clock.Advance(Rules.RampMs / 2);
        for (int i = 0; i < _receipts.Count; i++) _receipts[i] = EnterSomehow();
    }

    /// <summary>A ramping circuit rejects some.</summary>
    private Receipt EnterSomehow()
    {
        while (true)
        {
            (CircuitAdmission answer, Receipt receipt) = _subject.Enter();
            if (answer == CircuitAdmission.Admitted) return receipt;
        }
    }

    private Receipt Enter()
    {
        (CircuitAdmission answer, Receipt receipt) = _subject.Enter();
        Note(answer, receipt);
        return receipt;
    }

    private string Answer((CircuitAdmission Answer, Receipt Receipt) given)
    {
        Note(given.Answer, given.Receipt);
        return given.Answer.ToString();
    }

    private void Note(CircuitAdmission answer, Receipt receipt)
    {
        if (answer != CircuitAdmission.AdmittedAsProbe) return;
        _probesSent[receipt.Epoch] = _probesSent.GetValueOrDefault(receipt.Epoch) + 1;
    }

    private string Exit(int thread, Verdict verdict) => Count(verdict, _receipts[thread]).ToString();

    private CircuitExit Count(Verdict verdict, Receipt receipt)
    {
        // Noted before: another thread may finish this change for us while we are still on our way.
        (long, Verdict) key = (receipt.Epoch, verdict);
        _counted[key] = _counted.GetValueOrDefault(key) + 1;
        CircuitExit answer = _subject.Exit(receipt, verdict);
        if (answer == CircuitExit.Stale) _counted[key]--;
        else if (_probesSent.ContainsKey(receipt.Epoch)) _probesBack[receipt.Epoch] = _probesBack.GetValueOrDefault(receipt.Epoch) + 1;
        return answer;
    }

    private void Hear(CircuitChanged change) => _events.Add(change);
}
