using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>The one object that travels with a call, down to the delegate and up again.</summary>
/// <remarks>
/// It belongs to one call and to one policy at a time, so it needs no synchronisation, and it is reused: keep nothing of it
/// after the call has ended. A context that was shown to a delegate (the overloads with <see cref="CallOptions"/>) is not
/// reused, and throws <see cref="ObjectDisposedException"/> when touched after its call.
/// </remarks>
public abstract class ResilienceContext
{
    private CancellationToken _cancellationToken;
    private CancellationToken _callers;
    private CallSite _site = CallSite.None;
    private string? _operation;
    private long _deadlineMs = Clock.Never;
    private int _attempt;
    private bool _ended;
    private string? _objection;
    private AttemptRemarks _remarks;
    private long _beganMs; // means something only with the remark HasBegun
    private long _saidWaitTicks; // means something only where an outcome is marked SaysWhen
    private Dictionary<object, object?>? _properties;
    private ResilienceContext? _counter; // of a copy: the copy that counts the attempts of all copies; null: nobody runs beside us
    private int _counted; // the last number given out, where this is that copy

    private protected ResilienceContext()
    {
    }

    /// <summary>The token that the delegate receives. A policy that replaces it puts the former one back when the call comes up again.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public CancellationToken CancellationToken
    {
        get => _ended ? ThrowEnded<CancellationToken>() : _cancellationToken;
        set
        {
            if (_ended) ThrowEnded<CancellationToken>();
            _cancellationToken = value;
        }
    }

    /// <summary>The number of this attempt: 0 for the first, 1 for the first retry or hedge. No two attempts of a call have the same.</summary>
    public int Attempt
    {
        get => _ended ? ThrowEnded<int>() : _attempt;
        internal set => _attempt = value;
    }

    /// <summary>The name of the pipeline, empty if it has none.</summary>
    public string PipelineName => _ended ? ThrowEnded<string>() : _site.PipelineName;

    /// <summary>What the caller says it is doing, for telemetry and for keyed policies; null if it did not say.</summary>
    public string? Operation => _ended ? ThrowEnded<string?>() : _operation;

    /// <summary>The pipeline's source of time.</summary>
    public TimeProvider TimeProvider => _ended ? ThrowEnded<TimeProvider>() : _site.Clock.Provider;

    /// <summary>Time left before the earliest deadline of this call (the caller's, or that of a timeout around us), never negative;
    /// null when there is none.</summary>
    public TimeSpan? RemainingTime
    {
        get
        {
            if (_ended) ThrowEnded<int>();
            return _deadlineMs == Clock.Never ? null : TimeSpan.FromMilliseconds(Math.Max(0, _deadlineMs - _site.Clock.NowMs));
        }
    }

    /// <summary>Gets something that travels with the call.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="property"/> is null.</exception>
    public bool TryGet<TValue>(ResilienceProperty<TValue> property, [MaybeNullWhen(false)] out TValue value)
    {
        ArgumentNullException.ThrowIfNull(property);
        if (_ended) ThrowEnded<int>();
        if (_properties is not null && _properties.TryGetValue(property, out object? stored))
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
        if (_ended) ThrowEnded<int>();
        (_properties ??= [])[property] = value;
    }

    /// <summary>Says that this attempt must not be repeated: the operation may have been carried out, or cannot be sent again. For the delegate,
    /// or a policy inside the retry. Counts for this attempt only.</summary>
    /// <param name="reason">Why, in a few words; shown in <see cref="RetryDenied.Detail"/>.</param>
    /// <param name="unlessNotApplied">Whether the attempt may be repeated after all when it is known that nothing was done
    /// (<see cref="Classification.NotApplied"/>, <see cref="ReportNotApplied"/>). Default false.</param>
    /// <exception cref="ArgumentException"><paramref name="reason"/> is null or empty.</exception>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public void ForbidRetry(string reason, bool unlessNotApplied = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(reason);
        if (_ended) ThrowEnded<int>();
        _objection = reason;
        _remarks = unlessNotApplied ? _remarks | AttemptRemarks.ObjectionYields : _remarks & ~AttemptRemarks.ObjectionYields;
    }

    /// <summary>Takes back what <see cref="ForbidRetry"/> said of this attempt: a delegate that forbids before it sends, because it may
    /// never be heard of again, allows when it knows that nothing was sent.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public void AllowRetry()
    {
        if (_ended) ThrowEnded<int>();
        _objection = null;
    }

    /// <summary>Says that this attempt did nothing, because it was seen: nothing was sent, or the receiver said so. If it ends with an exception that
    /// is a failure, the outcome is <see cref="Outcome{T}.NotApplied"/>. For the delegate. Counts for this attempt only.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public void ReportNotApplied()
    {
        if (_ended) ThrowEnded<int>();
        _remarks |= AttemptRemarks.NotApplied;
    }

    /// <summary>Why the attempt that has ended must not be repeated, whatever it did; null when nobody objects.</summary>
    internal string? RetryObjection
    {
        get => _objection;
        set => _objection = value;
    }

    /// <summary>Why the attempt that has ended must not be repeated; null when nobody objects, or only if something was done and it was not.</summary>
    internal string? ObjectionTo(bool isNotApplied) => isNotApplied && (_remarks & AttemptRemarks.ObjectionYields) != 0 ? null : _objection;

    /// <summary>Another attempt begins: what was said of the one before no longer counts.</summary>
    internal void ForgetAttempt()
    {
        _objection = null;
        _remarks &= AttemptRemarks.HasBegun;
    }

    /// <summary>The attempt under way began only now, not with the limits around it.</summary>
    internal void MarkBegun()
    {
        _beganMs = _site.Clock.NowMs;
        _remarks |= AttemptRemarks.HasBegun;
    }

    /// <summary>Whether the attempt had at least half of the time of a limit of this length that was due then.</summary>
    internal bool HadHalfOf(long dueAtMs, long lengthMs)
    {
        long had = (_remarks & AttemptRemarks.HasBegun) == 0 ? lengthMs : Math.Min(lengthMs, dueAtMs - _beganMs);
        return had >= lengthMs - had;
    }

    /// <summary>The token of the caller of the pipeline, whatever policies have put in its place.</summary>
    internal CancellationToken CallersToken => _callers;

    /// <summary>The caller's token is cancelled, and what the delegate was given hangs on it, though it may not have heard yet.</summary>
    internal bool HasCallerLeft =>
        _callers.IsCancellationRequested
        && (_cancellationToken == _callers
            || (InnermostTimeout is TimeoutSource source && source.Token == _cancellationToken && source.HangsOn(_callers)));

    /// <summary>What the delegate saw of the attempt that has ended with an exception; asked once.</summary>
    internal OutcomeMarks TakeReport()
    {
        if ((_remarks & AttemptRemarks.NotApplied) == 0) return OutcomeMarks.None;
        _remarks &= ~AttemptRemarks.NotApplied;
        return OutcomeMarks.NotApplied;
    }

    /// <summary>What was said of an attempt to a copy of this context is said of the call's.</summary>
    internal void TakeRemarks(ResilienceContext copy)
    {
        _objection = copy._objection;
        _remarks = (copy._remarks & ~AttemptRemarks.HasBegun) | (_remarks & AttemptRemarks.HasBegun);
        _saidWaitTicks = copy._saidWaitTicks;
    }

    /// <summary>When to come back, as the rule said that judged the attempt which has ended.</summary>
    internal TimeSpan SaidRetryAfter
    {
        get => new(_saidWaitTicks);
        set => _saidWaitTicks = value.Ticks;
    }

    internal Clock Clock => _site.Clock;

    /// <summary>The call has a span that is sampled, so its attempts shall be spans below it. Set and cleared by whoever observes the call: a
    /// call that nobody observes pays nothing for it but a look.</summary>
    internal bool IsTraced { get; set; }

    /// <summary>The earliest deadline on the <see cref="Resilience.Clock"/>'s line; <see cref="Clock.Never"/> when there is none.</summary>
    internal long DeadlineMs
    {
        get => _deadlineMs;
        set => _deadlineMs = value;
    }

    /// <summary>The innermost timeout that is armed around us, so that a new one can hang below it instead of registering on its token.</summary>
    internal object? InnermostTimeout { get; set; }

    /// <summary>The account that this call has been credited to, or will be, so that policies that share it credit it once.</summary>
    internal object? CreditedAccount { get; set; }

    /// <summary>Set on a copy: it must never be reused, because a delegate that somebody walked away from may still hold it.</summary>
    internal bool IsAbandoned { get; set; }

    /// <summary>A pooled context mostly comes back to the pipeline it served before: then there is nothing to write.</summary>
    internal void Begin(CallSite site, CancellationToken cancellationToken)
    {
        if (!ReferenceEquals(_site, site)) _site = site;
        if (cancellationToken.CanBeCanceled) _cancellationToken = _callers = cancellationToken;
    }

    internal void Describe(in CallOptions options, CallSite site)
    {
        _operation = options.Operation;
        if (options.Deadline is { } deadline) _deadlineMs = Clock.After(site.Clock.NowMs, deadline);
        if (options.Properties is { } properties) _properties = new(properties.Values);
    }

    /// <summary>Wipes the context for the next call. (An operation has only the context of a call with options, which is not reused.)</summary>
    private protected void Wipe()
    {
        _cancellationToken = default;
        _callers = default;
        _deadlineMs = Clock.Never;
        _attempt = 0;
        _objection = null;
        _remarks = AttemptRemarks.None;
        _properties = null;
        InnermostTimeout = null;
        CreditedAccount = null;
    }

    private protected void End() => _ended = true;

    /// <summary>A copy for a part of the call that may outlive it or run beside it. It is never pooled.</summary>
    /// <remarks>
    /// Whoever lets a copy outlive the call gives it a token of its own that is not pooled (as the timeout that walks away does):
    /// the tokens around belong to other calls as soon as this one has ended.
    /// </remarks>
    internal ResilienceContext Fork()
    {
        ResilienceContext copy = (ResilienceContext)MemberwiseClone();
        copy.IsAbandoned = true;
        if (_properties is { } properties) copy._properties = new(properties);
        return copy;
    }

    /// <summary>The part of the call that a copy was made for has ended.</summary>
    internal void EndCopy() => _ended = true;

    /// <summary>A copy for one of several attempts that run beside each other. Their numbers are those of the whole call.</summary>
    /// <param name="first">The copy of the first of them, which counts for all; null if this is the first.</param>
    internal ResilienceContext ForkAttempt(ResilienceContext? first)
    {
        ResilienceContext copy = Fork();
        copy.ForgetAttempt();
        if (first is not null)
        {
            copy._counter = first._counter;
        }
        else if (_counter is null)
        {
            copy._counter = copy;
            copy._counted = _attempt;
        }

        return copy;
    }

    /// <summary>Another attempt of the call begins here: it gets the next number, also of the attempts that run beside it.</summary>
    internal int TakeNumber()
    {
        if (_counter is null) return _attempt < int.MaxValue ? ++_attempt : _attempt;

        // Full fence; retries inside of attempts that run beside each other count here at the same time.
        int next = Interlocked.Increment(ref _counter._counted);
        return _attempt = next > 0 ? next : int.MaxValue;
    }

    /// <summary>The number of the attempt that a copy was made for, also after it has ended.</summary>
    internal int AttemptOfCopy => _attempt;

    /// <summary>Attempts that ran beside each other are over: the call goes on from the one that counts.</summary>
    internal void Rejoin(ResilienceContext first, ResilienceContext ended, string? objection)
    {
        // Acquire: a loser that has not heard of its end yet may count on; its numbers are its own affair.
        int counted = Volatile.Read(ref first._counter!._counted);
        _attempt = counted > 0 ? counted : int.MaxValue;
        _properties = ended._properties;
        _objection = objection;
        _remarks &= AttemptRemarks.HasBegun; // what remains of the objections of all stands for good
        _saidWaitTicks = ended._saidWaitTicks;
    }

    /// <summary>Makes room in the thread's slot for a spare of another class.</summary>
    internal virtual void Park()
    {
    }

    [DoesNotReturn]
    private static TResult ThrowEnded<TResult>() =>
        throw new ObjectDisposedException(nameof(ResilienceContext), "The call that this context belonged to has ended.");
}

/// <summary>What was said of the attempt under way, beside the objection to a repeat.</summary>
[Flags]
internal enum AttemptRemarks : byte
{
    None = 0,

    /// <summary>The objection counts only if something may have been done.</summary>
    ObjectionYields = 1,

    /// <summary>Nothing was done.</summary>
    NotApplied = 2,

    /// <summary>When the attempt began is known.</summary>
    HasBegun = 4,
}

/// <summary>What all calls of one pipeline have in common.</summary>
internal sealed class CallSite(string pipelineName, Clock clock, CallInstruments instruments)
{
    internal static readonly CallSite None = new("", Clock.System, CallInstruments.For(ResilienceTelemetry.Meter));

    internal readonly string PipelineName = pipelineName;
    internal readonly Clock Clock = clock;
    internal readonly CallInstruments Instruments = instruments;
}
