using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>The attempts of one call. One flow of control owns it: it waits for an outcome or for the delay, asks the rules, acts.</summary>
internal sealed class HedgedRace<T>
{
    private readonly HedgingLink<T> _link;
    private readonly HedgingPolicy _policy;
    private readonly HedgingRules _rules;
    private readonly ResilienceContext _call;
    private readonly ResilienceContext _first;
    private readonly List<HedgedAttempt<T>> _running = new(2);
    private HedgingState _state;
    private Outcome<T> _kept; // the last failure; a rejection only where there was no failure
    private ResilienceContext? _keptCopy;
    private HedgeSkipReason? _cause;
    private string? _objection; // of any attempt that has ended
    private string _reason = Slow;
    private string? _dueBecause; // of a failure; null: the next attempt is due because the one before it is slow
    private bool _isMarked;
    private HedgingSchedule _schedule = HedgingSchedule.Empty;
    private long? _delayMs; // of the attempt that began last; null: not asked for yet
    private long _beganMs; // the same

    private const string Slow = "slow";

    private readonly long _beganAt; // the first attempt, as a fine reading; only where the delay is measured
    private long _firstDelayMs; // of the first attempt

    /// <param name="link">What the call passes through.</param>
    /// <param name="call">The call.</param>
    /// <param name="first">Its first attempt, which is under way.</param>
    /// <param name="beganAt">When that began, where the delay is measured.</param>
    internal HedgedRace(HedgingLink<T> link, ResilienceContext call, in HedgedAttempt<T> first, long beganAt)
    {
        _beganAt = beganAt;
        _link = link;
        _policy = link.Policy;
        _rules = _policy.Rules;
        _call = call;
        _first = first.Context;
        Admit(first);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal async ValueTask<Outcome<T>> RunAsync(bool isOursToCredit)
    {
        while (true)
        {
            int ended = FindEnded();
            if (ended < 0 && !IsDue(out long delayMs))
            {
                if (_running.Count == 0 && delayMs == Clock.Never) return KeptAndCredited(isOursToCredit);
                await _call.Settle(WaitAsync(delayMs)).ConfigureAwait(false);
                if (_running.Count == 0 && _call.Token.IsCancellationRequested) return CancelledWhileWaiting();
                ended = FindEnded();
            }

            HedgingMove move = ended >= 0 ? OnEnded(ended, out Outcome<T> outcome) : OnDelay(out outcome);
            if (move is HedgingMove.Start or HedgingMove.StartElsewhere) move = Start(move == HedgingMove.StartElsewhere);
            if (move == HedgingMove.Wait) continue;
            if (move == HedgingMove.EndWithKept) outcome = Kept();
            if (isOursToCredit && outcome.Verdict is Verdict.Success or Verdict.Failure) _policy.Budget.RecordCall();
            return outcome.Error is null ? outcome : Cancelled.PutBack(outcome, _call.Token);
        }
    }

    private Outcome<T> KeptAndCredited(bool isOursToCredit)
    {
        Outcome<T> kept = Kept();
        if (isOursToCredit && kept.Verdict == Verdict.Failure) _policy.Budget.RecordCall();
        return kept;
    }

    private Outcome<T> CancelledWhileWaiting()
    {
        Outcome<T> kept = Kept();
        kept.Leave(_call);
        return Cancelled.WhileWaiting(kept, _policy.Environment.PolicyName, _call.Token);
    }

    private void Admit(HedgedAttempt<T> attempt)
    {
        attempt.Number = _state.Started;
        _running.Add(attempt);
        (_delayMs, _dueBecause) = (null, null);
        _beganMs = _call.Clock.NowMs;
        _state = HedgingRules.OnStarted(_state);
    }

    /// <summary>Of the attempts that have ended the one that counts most: a success, then what ends the call, then the earliest. -1 when
    /// all are under way.</summary>
    private int FindEnded()
    {
        int found = -1;
        for (int i = 0; i < _running.Count; i++)
        {
            if (!_running[i].Running.IsCompleted) continue;
            Verdict verdict = _running[i].Running.Result.Verdict;
            if (verdict == Verdict.Success) return i;
            if (found < 0 || (verdict == Verdict.Ignored && _running[found].Running.Result.Verdict != Verdict.Ignored)) found = i;
        }

        return found;
    }

    /// <summary>True when the next attempt need not wait. Otherwise how long it waits: <see cref="Clock.Never"/> when it does not come by
    /// itself, also because its time would not come before the deadline.</summary>
    private bool IsDue(out long delayMs)
    {
        delayMs = Clock.Never;
        if (!_rules.MayStart(_state)) return false;
        long nextMs = Schedule().NextMs, nowMs = _call.Clock.NowMs;
        if (nextMs <= nowMs) return true;
        if (nextMs < _call.DeadlineMs) delayMs = nextMs - nowMs;
        return false;
    }

    /// <summary>What is due next. The delay is asked for when it is needed: an attempt that has failed before needs none.</summary>
    private HedgingSchedule Schedule()
    {
        if (_delayMs is not null) return _schedule;
        long delayMs = _policy.DelayMs(_call);
        _delayMs = delayMs;
        if (_state.Started == 1) _firstDelayMs = delayMs;
        _schedule = _schedule.OnStarted(_beganMs, delayMs);
        return _schedule;
    }

    private Task WaitAsync(long delayMs)
    {
        if (_running.Count == 0) return ClockWait.ForAsync(_call.Clock, TimeSpan.FromMilliseconds(delayMs), _call.Token); // no attempt could wake us
        Task any = _running.Count == 1 ? _running[0].Running : Task.WhenAny(_running.Select(static attempt => attempt.Running));
        return delayMs == Clock.Never ? any : ClockWait.UntilAsync(_call.Clock, TimeSpan.FromMilliseconds(delayMs), any);
    }

    private HedgingMove OnEnded(int index, out Outcome<T> outcome)
    {
        HedgedAttempt<T> attempt = _running[index];
        _running.RemoveAt(index);
        outcome = attempt.Running.Result;
        if (attempt.Number == 0) Measure(outcome);
        HedgingWeight weight = outcome.Verdict is Verdict.Failure or Verdict.Rejected ? Weigh(outcome, attempt) : HedgingWeight.Usual;
        attempt.End();
        _objection ??= attempt.Context.ObjectionTo(outcome.NotApplied);
        (_state, HedgingMove move) = _rules.OnEnded(_state, outcome.Verdict, weight);
        if (move == HedgingMove.EndWithThis)
        {
            Finish(attempt.Context);
            if (outcome.IsSuccess && attempt.Context != _first) Won(attempt.Context.AttemptNumber);
            return move;
        }

        _reason = _link.ReasonOf(outcome);
        Keep(outcome, attempt.Context);
        return move is HedgingMove.Start or HedgingMove.StartElsewhere ? UnlessHeld(move) : move;
    }

    /// <summary>A failure that asks for nothing starts the next attempt at once, but not while what another has asked for is not over. A rejection adds
    /// nothing to that wait.</summary>
    private HedgingMove UnlessHeld(HedgingMove move)
    {
        long nowMs = _call.Clock.NowMs;
        if (!_schedule.IsHeld(nowMs)) return move;
        if (move == HedgingMove.Start) (_schedule, _dueBecause) = (Schedule().OnFailed(nowMs), _reason);
        return HedgingMove.Wait;
    }

    /// <summary>What a failure asks for. A rejection says when it may be worth trying again, and that is no reason to wait for another way.</summary>
    private HedgingWeight Weigh(in Outcome<T> outcome, in HedgedAttempt<T> attempt)
    {
        if (!outcome.MayRepeat || AttemptJudge.IsCutAround(outcome, _call)) return HedgingWeight.Final;
        AttemptResult seen = _link.Read(outcome, attempt.Number, attempt.Context);
        if (!_policy.IsAllowed(seen)) return HedgingWeight.Final;
        if (outcome.Verdict == Verdict.Rejected || (seen.Counts && seen.RetryAfter is null)) return HedgingWeight.Usual;
        if (seen.RetryAfter > HedgingRules.MaxPatience) return HedgingWeight.TooPatient;
        long nowMs = _call.Clock.NowMs;
        if (seen.RetryAfter is not { } wait) _schedule = Schedule().OnThrottled(nowMs);
        else (_schedule, _dueBecause) = (Schedule().OnAsked(nowMs, Clock.ToMs(wait)), _link.ReasonOf(outcome));
        return HedgingWeight.Patient;
    }

    /// <summary>The first attempt has ended.</summary>
    private void Measure(in Outcome<T> outcome)
    {
        if (_policy.Measured is not { } measured) return;
        TimeSpan took = _call.Clock.ElapsedSince(_beganAt);
        if (outcome.Verdict is Verdict.Success or Verdict.Ignored && outcome.HasResult) measured.Answered(took);
        else measured.Cut(took, Math.Max(_firstDelayMs, measured.Ms));
    }

    private HedgingMove OnDelay(out Outcome<T> outcome)
    {
        outcome = default;
        _reason = _dueBecause ?? Slow;
        return _rules.OnDelay(_state);
    }

    private void Keep(in Outcome<T> outcome, ResilienceContext copy)
    {
        _isMarked |= outcome.DoNotRetry;
        if (outcome.Verdict == Verdict.Rejected && _kept.Verdict == Verdict.Failure) return; // a real failure says more
        _kept.Leave(_call);
        (_kept, _keptCopy) = (outcome, copy);
    }

    private HedgingMove Start(bool elsewhereOnly)
    {
        if (MayNot(out HedgeSkipReason? cause, out string? detail)) return Skip(cause, detail);
        HedgedAttempt<T> attempt = HedgedAttempt<T>.Begin(_call, isFirst: false);
        bool isElsewhere = _policy.RoutesElsewhere(attempt.Context, _state.Started);
        if ((elsewhereOnly && !isElsewhere) || !_policy.Budget.TryWithdraw())
        {
            attempt.End();
            return Skip(elsewhereOnly && !isElsewhere ? null : HedgeSkipReason.Budget, null);
        }

        Started(attempt.Context.TakeNumber());
        Admit(_link.Start(attempt));
        return HedgingMove.Wait;
    }

    private void Started(int attempt)
    {
        if (!Environment.IsObserved(HedgeStarted.Metric)) return;
        Environment.Report(new HedgeStarted(_call.NameOfPipeline, Environment.PolicyName, attempt, _state.Running, _reason)
        {
            Operation = _call.NameOfOperation,
        });
    }

    private void Skipped(HedgeSkipReason cause, string? detail)
    {
        if (!Environment.IsObserved(HedgeSkipped.Metric)) return;
        Environment.Report(new HedgeSkipped(_call.NameOfPipeline, Environment.PolicyName, _state.Running, cause)
        {
            Detail = detail,
            Operation = _call.NameOfOperation,
        });
    }

    private void Won(int attempt)
    {
        if (!Environment.IsObserved(HedgeWon.Metric)) return;
        Environment.Report(new HedgeWon(_call.NameOfPipeline, Environment.PolicyName, attempt, _running.Count) { Operation = _call.NameOfOperation });
    }

    private PolicyEnvironment Environment => _policy.Environment;

    private bool MayNot(out HedgeSkipReason? cause, out string? detail)
    {
        detail = _objection;
        foreach (HedgedAttempt<T> attempt in _running) detail ??= attempt.Context.RetryObjection;
        cause = detail is not null ? HedgeSkipReason.NotAllowed
            : _isMarked ? HedgeSkipReason.Marked
            : _call.Clock.NowMs >= _call.DeadlineMs ? HedgeSkipReason.Deadline
            : _call.CriticalityOfCall == Criticality.Sheddable ? HedgeSkipReason.Sheddable
            : _state.Started == 1 && !_policy.IsWanted(_call) ? HedgeSkipReason.NotWanted
            : _link.ShowsOverload ? HedgeSkipReason.Overloaded
            : null;
        return cause is not null || _call.Token.IsCancellationRequested;
    }

    private HedgingMove Skip(HedgeSkipReason? cause, string? detail)
    {
        if (cause is { } reason)
        {
            _cause = reason;
            Skipped(reason, detail);
        }

        (_state, HedgingMove move) = HedgingRules.OnSkipped(_state);
        return move;
    }

    private Outcome<T> Kept()
    {
        Finish(_keptCopy!);
        if (_cause is HedgeSkipReason.Budget or HedgeSkipReason.Deadline && _kept.Verdict == Verdict.Failure) _kept = _kept.MarkedDoNotRetry();
        if (_kept.DoNotRetry) _call.ReportAround(_kept.Error);
        if (_kept.DoNotRetry) _kept.ReportToRequest();
        return _kept;
    }

    /// <summary>The race is over: the losers go, and the call takes up what the attempt that counts has left.</summary>
    private void Finish(ResilienceContext ended)
    {
        if (_running.Count > 0 && ResultType<T>.MayBeDisposable) _call.HoldLeftovers(); // what the losers bring may come after the end of the call
        foreach (HedgedAttempt<T> lost in _running)
        {
            if (lost.Number == 0 && _policy.Measured is { } measured)
                measured.Lost(_call.Clock.ElapsedSince(_beganAt), Math.Max(_firstDelayMs, measured.Ms));
            lost.Abandon();
        }

        if (ended != _keptCopy) _kept.Leave(_call);
        _call.Take(ended);
        _call.ForgetAttempt(); // what remains of the objections of all stands for good
        _call.RetryObjection = _objection;
    }
}
