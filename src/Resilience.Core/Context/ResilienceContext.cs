using System.Diagnostics.CodeAnalysis;
using Resilience.Events;

namespace Resilience;

/// <summary>The one object that travels with a call, down to the delegate and up again.</summary>
/// <remarks>
/// It belongs to one call and to one policy at a time, so it needs no synchronisation: a policy that lets a part of the call run beside
/// others, or does not wait for it, gives that part a <see cref="Fork"/>. A context that was shown to a policy or a delegate of yours
/// throws <see cref="ObjectDisposedException"/> when it is touched after its call; what only ours have seen is used again.
/// </remarks>
public abstract partial class ResilienceContext
{
    private State _state = new() { Site = CallSite.None, DeadlineMs = Clock.Never };

    private protected ResilienceContext()
    {
    }

    /// <summary>The token that the delegate receives. A policy that replaces it puts the former one back when the call comes up again.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public CancellationToken CancellationToken
    {
        get => _state.HasEnded ? ThrowEnded<CancellationToken>() : _state.CancellationToken;
        set
        {
            if (_state.HasEnded) ThrowEnded<CancellationToken>();
            _state.CancellationToken = value;
        }
    }

    /// <summary>The number of this attempt: 0 for the first, 1 for the first retry or hedge. No two attempts of a call have the same.</summary>
    public int Attempt
    {
        get => _state.HasEnded ? ThrowEnded<int>() : _state.Attempt;
        internal set => _state.Attempt = value;
    }

    /// <summary>The name of the pipeline, empty if it has none.</summary>
    public string PipelineName => _state.HasEnded ? ThrowEnded<string>() : _state.Site.PipelineName;

    /// <summary>As <see cref="PipelineName"/>, for links of ours, which may come up late: never throws.</summary>
    internal string NameOfPipeline => _state.Site.PipelineName;

    /// <summary>As <see cref="Operation"/>, likewise.</summary>
    internal string? NameOfOperation => _state.Operation;

    /// <summary>What the caller says it is doing, for telemetry and for keyed policies; null if it did not say.</summary>
    public string? Operation => _state.HasEnded ? ThrowEnded<string?>() : _state.Operation;

    /// <summary>The pipeline's source of time.</summary>
    public TimeProvider TimeProvider => _state.HasEnded ? ThrowEnded<TimeProvider>() : _state.Site.Clock.Provider;

    /// <summary>Time left before the earliest deadline of this call (the caller's, or that of a timeout around us), never negative;
    /// null when there is none.</summary>
    public TimeSpan? RemainingTime
    {
        get
        {
            if (_state.HasEnded) ThrowEnded<int>();
            return TimeLeft;
        }
    }

    /// <summary>As <see cref="RemainingTime"/>, for links of ours, which may come up late: never throws.</summary>
    internal TimeSpan? TimeLeft =>
        _state.DeadlineMs == Clock.Never ? null : TimeSpan.FromMilliseconds(Math.Max(0, _state.DeadlineMs - _state.Site.Clock.NowMs));

    /// <summary>Gets something that travels with the call.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="property"/> is null.</exception>
    public bool TryGet<TValue>(ResilienceProperty<TValue> property, [MaybeNullWhen(false)] out TValue value)
    {
        ArgumentNullException.ThrowIfNull(property);
        if (_state.HasEnded) ThrowEnded<int>();
        return TryFind(property, out value);
    }

    /// <summary>As <see cref="TryGet"/>, for links of ours, which may come up late: never throws.</summary>
    internal bool TryFind<TValue>(ResilienceProperty<TValue> property, [MaybeNullWhen(false)] out TValue value)
    {
        if (_state.Properties is not null && _state.Properties.TryGetValue(property, out object? stored))
        {
            value = (TValue)stored!;
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>Sets something that travels with the call.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="property"/> is null.</exception>
    public void Set<TValue>(ResilienceProperty<TValue> property, TValue value)
    {
        ArgumentNullException.ThrowIfNull(property);
        if (_state.HasEnded) ThrowEnded<int>();
        if (_state.Properties is null)
        {
            _state.Properties = [];
        }
        else if (_state.SharesProperties)
        {
            _state.Properties = new(_state.Properties);
            _state.SharesProperties = false;
        }

        _state.Properties[property] = value;
    }

    /// <summary>Says that this attempt must not be repeated: the operation may have been carried out, or cannot be sent again. For the delegate,
    /// or a policy inside the retry. Counts for this attempt only.</summary>
    /// <param name="reason">Why, in a few words; shown in <see cref="RetryStopped.Detail"/>.</param>
    /// <param name="unlessNotApplied">Whether the attempt may be repeated after all when it is known that nothing was done
    /// (<see cref="Classification.NotApplied"/>, <see cref="ReportNotApplied"/>). Default false.</param>
    /// <exception cref="ArgumentException"><paramref name="reason"/> is null or empty.</exception>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public void ForbidRetry(string reason, bool unlessNotApplied = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(reason);
        if (_state.HasEnded) ThrowEnded<int>();
        _state.Objection = reason;
        _state.Remarks = unlessNotApplied ? _state.Remarks | AttemptRemarks.ObjectionYields : _state.Remarks & ~AttemptRemarks.ObjectionYields;
    }

    /// <summary>Takes back what <see cref="ForbidRetry"/> said of this attempt: a delegate that forbids before it sends, because it may
    /// never be heard of again, allows when it knows that nothing was sent.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public void AllowRetry()
    {
        if (_state.HasEnded) ThrowEnded<int>();
        _state.Objection = null;
    }

    /// <summary>Says that this attempt did nothing, because it was seen: nothing was sent, or the receiver said so. If it ends with an exception that
    /// is a failure, the outcome is <see cref="Outcome{T}.NotApplied"/>. For the delegate. Counts for this attempt only.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public void ReportNotApplied()
    {
        if (_state.HasEnded) ThrowEnded<int>();
        _state.Remarks |= AttemptRemarks.NotApplied;
    }

    /// <summary>Why the attempt that has ended must not be repeated, whatever it did; null when there is no objection.</summary>
    internal string? RetryObjection
    {
        get => _state.Objection;
        set => _state.Objection = value;
    }

    /// <summary>Why the attempt that has ended must not be repeated; null when there is no objection, or only if something was done and it was not.</summary>
    internal string? ObjectionTo(bool isNotApplied) => isNotApplied && (_state.Remarks & AttemptRemarks.ObjectionYields) != 0 ? null : _state.Objection;

    /// <summary>Another attempt begins: remarks on the one before no longer count.</summary>
    internal void ForgetAttempt()
    {
        _state.Objection = null;
        _state.Remarks &= AttemptRemarks.OfCall;
    }

    /// <summary>The attempt under way began only now, not with the limits around it.</summary>
    internal void MarkBegun()
    {
        _state.BeganMs = _state.Site.Clock.NowMs;
        _state.Remarks |= AttemptRemarks.HasBegun;
    }

    /// <summary>Whether the attempt had at least half of the time of a limit of this length that was due then.</summary>
    internal bool HadHalfOf(long dueAtMs, long lengthMs)
    {
        long had = (_state.Remarks & AttemptRemarks.HasBegun) == 0 ? lengthMs : Math.Min(lengthMs, dueAtMs - _state.BeganMs);
        return had >= lengthMs - had;
    }

    /// <summary>The token of the caller of the pipeline, whatever policies have put in its place.</summary>
    internal CancellationToken CallersToken => _state.Callers;

    /// <summary>The caller's token is cancelled, and what the delegate was given hangs on it, though it may not have heard yet.</summary>
    internal bool HasCallerLeft =>
        _state.Callers.IsCancellationRequested
        && (_state.CancellationToken == _state.Callers
            || (InnermostTimeout is { } source && source.Token == _state.CancellationToken && source.HangsOn(_state.Callers)));

    /// <summary>What the delegate saw of the attempt that has ended with an exception; asked once.</summary>
    internal OutcomeMarks TakeReport()
    {
        if ((_state.Remarks & AttemptRemarks.NotApplied) == 0) return OutcomeMarks.None;
        _state.Remarks &= ~AttemptRemarks.NotApplied;
        return OutcomeMarks.NotApplied;
    }

    /// <summary>Remarks on an attempt that a copy of this context received are remarks on the call's.</summary>
    internal void TakeRemarks(ResilienceContext copy)
    {
        _state.Objection = copy._state.Objection;
        _state.Remarks = (copy._state.Remarks & ~AttemptRemarks.OfCall) | (_state.Remarks & AttemptRemarks.OfCall);
        _state.StatedWaitTicks = copy._state.StatedWaitTicks;
    }

    /// <summary>When to come back, as the rule said that judged the attempt which has ended.</summary>
    internal TimeSpan StatedRetryAfter
    {
        get => new(_state.StatedWaitTicks);
        set => _state.StatedWaitTicks = value.Ticks;
    }

    internal Clock Clock => _state.Site.Clock;

    /// <summary>The call has a span that is sampled, so its attempts shall be spans below it. Set and cleared by the link that observes the call: a
    /// call that is not observed pays nothing for it but a look.</summary>
    internal bool IsTraced
    {
        get => (_state.Remarks & AttemptRemarks.IsTraced) != 0;
        set => _state.Remarks = value ? _state.Remarks | AttemptRemarks.IsTraced : _state.Remarks & ~AttemptRemarks.IsTraced;
    }

    /// <summary>The earliest deadline on the <see cref="Resilience.Clock"/>'s line; <see cref="Clock.Never"/> when there is none.</summary>
    internal long DeadlineMs
    {
        get => _state.DeadlineMs;
        set => _state.DeadlineMs = value;
    }

    /// <summary>The innermost timeout that is armed around us, so that a new one can hang below it instead of registering on its token.</summary>
    internal TimeoutSource? InnermostTimeout
    {
        get => _state.InnermostTimeout;
        set => _state.InnermostTimeout = value;
    }

    /// <summary>The account that this call has been credited to, or will be, so that policies that share it credit it once.</summary>
    internal object? CreditedAccount
    {
        get => _state.CreditedAccount;
        set => _state.CreditedAccount = value;
    }

    /// <summary>Code that is not ours has it in its hands, and may keep it: it serves no other call.</summary>
    internal bool IsShown => _state.IsShown;

    /// <summary>The call is over; nothing more may begin in its name.</summary>
    internal bool HasEnded => _state.HasEnded;

    /// <summary>The token for links of ours, which may come up late through a policy that did not wait for them: never throws, and is cancelled
    /// when the call has ended.</summary>
    internal CancellationToken Token
    {
        get => _state.CancellationToken;
        set => _state.CancellationToken = value;
    }

    internal void Begin(CallSite site, CancellationToken cancellationToken)
    {
        _state.Site = site;
        if (cancellationToken.CanBeCanceled) _state.CancellationToken = _state.Callers = cancellationToken;
    }

    internal void Describe(in CallOptions options, CallSite site)
    {
        _state.Operation = options.Operation;
        if (options.Deadline is { } deadline) _state.DeadlineMs = Clock.After(site.Clock.NowMs, deadline);
        if (options.Properties is { } properties) _state.Properties = new(properties.Values);
    }

    /// <summary>Wipes the context for the next call.</summary>
    private protected void Wipe()
    {
        _state = default; // in two steps: a value that is made elsewhere is copied, and the collector told, field by field
        _state.DeadlineMs = Clock.Never;
    }

    /// <summary>What still runs in the name of this call finds it cancelled, out of time, and without the timeouts around it, which serve
    /// others by now.</summary>
    private protected void End()
    {
        _state.HasEnded = true;
        _state.CancellationToken = new(canceled: true);
        _state.DeadlineMs = 0;
        InnermostTimeout = null;
    }

    /// <summary>What code gets that touches a call after its end.</summary>
    internal static ObjectDisposedException Ended() => new(nameof(ResilienceContext), "The call that this context belonged to has ended.");

    // ---- code that is not ours

    /// <summary>The context, for a callback of the user's.</summary>
    internal ResilienceContext Shown()
    {
        _state.IsShown = true;
        return this;
    }

    /// <summary>A policy that is not ours lets the call go on with this fork. False while what it let go on before is under way.</summary>
    internal bool TryRun() => Interlocked.CompareExchange(ref _state.IsRunning, (byte)1, (byte)0) == 0;

    /// <summary>What it let go on has ended.</summary>
    internal void HasRun() => Volatile.Write(ref _state.IsRunning, (byte)0); // release: what the run wrote is visible to the thread that finds it over

    /// <summary>True while something runs with this fork.</summary>
    internal bool IsRunning => Volatile.Read(ref _state.IsRunning) != 0;

    // ---- calls inside calls

    /// <summary>An attempt begins, and with it perhaps a call inside the one whose delegate runs on this thread.</summary>
    internal void BeginScope(ResilienceContext? around)
    {
        ListenByToken();
        if (_state.Scope is { } scope)
        {
            scope.Clear();
        }
        else if (around is not null && _state.Attempt == 0)
        {
            _state.Scope = new(around._state.Scope ??= new(null));
            if (_state.Callers == around._state.CancellationToken) _state.Remarks |= AttemptRemarks.KnowsAround;
        }
    }

    /// <summary>From now on calls that get this call's token may be inside of it.</summary>
    internal void ListenByToken() => _state.GivenUpBefore = GivenUp.Mark;

    /// <summary>True when a call inside has given up on what came up.</summary>
    /// <param name="error">What came up.</param>
    /// <param name="token">The token that the delegate was given.</param>
    internal bool IsMarked(Exception error, CancellationToken token)
    {
        bool byToken = GivenUp.Take(error, _state.GivenUpBefore, token); // taken also where the scope says it too: no other call shall find it
        return (_state.Scope is { } scope && scope.Has(error)) || byToken;
    }

    /// <summary>This call gives up on what it ends with: the call around need not repeat it either.</summary>
    internal void ReportAround(object? error)
    {
        if (error is null) return;
        _state.Scope?.Around?.Add(error);

        // A delegate that completes another call's task runs its continuation on its own thread: what the thread says is sure only if the token agrees.
        if ((_state.Remarks & AttemptRemarks.KnowsAround) == 0) GivenUp.Add(error, _state.Callers);
    }

    /// <summary>As <see cref="Attempt"/>, also after the end.</summary>
    internal int AttemptNumber => _state.Attempt;

    /// <summary>Makes room in the thread's slot for a spare of another class.</summary>
    internal virtual void Park()
    {
    }

    [DoesNotReturn]
    private static TResult ThrowEnded<TResult>() => throw Ended();

    /// <summary>All that a context remembers, so that a copy takes it over, and a spare forgets it, as a whole.</summary>
    private struct State
    {
        internal CancellationToken CancellationToken;
        internal CancellationToken Callers;
        internal CallSite Site; // null in a spare, which must not keep the clock and the meter of a pipeline alive
        internal string? Operation;
        internal string? Objection;
        internal Dictionary<object, object?>? Properties;
        internal TimeoutSource? InnermostTimeout;
        internal object? CreditedAccount;
        internal CallScope? Scope; // null until there is a call around this one, or inside
        internal ResilienceContext? Counter; // the fork that counts the attempts of all; null: there has been none
        internal Leftovers? Leftovers; // where there has been a fork, that of the counter is the one of the call
        internal long DeadlineMs;
        internal long BeganMs; // means something only with the remark HasBegun
        internal long StatedWaitTicks; // means something only where an outcome is marked SaysWhen
        internal int Attempt;
        internal int Counted; // the last number given out, where this is the counter
        internal ushort GivenUpBefore; // what GivenUp.Mark said when the attempt began; 0: not asked
        internal AttemptRemarks Remarks;
        internal byte IsRunning; // of a fork that a policy of yours has: 1 while what it let go on is under way
        internal bool HasEnded;
        internal bool HasCopies;
        internal bool IsShown;
        internal bool SharesProperties; // with a fork: a change copies them first
    }
}
