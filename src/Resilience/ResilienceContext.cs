using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>The one object that travels with a call, down to the delegate and up again.</summary>
/// <remarks>
/// It belongs to one call and to one policy at a time, so it needs no synchronisation: a policy that lets a part of the call run beside
/// others, or does not wait for it, gives that part a <see cref="Fork"/>. A context that was shown to a policy or a delegate of yours
/// throws <see cref="ObjectDisposedException"/> when it is touched after its call; what only ours have seen is used again.
/// </remarks>
public abstract partial class ResilienceContext
{
    private CancellationToken _cancellationToken;
    private CancellationToken _callers;
    private CallSite _site = CallSite.None; // null in a spare, which must not keep the clock and the meter of a pipeline alive
    private string? _operation;
    private long _deadlineMs = Clock.Never;
    private int _attempt;
    private bool _ended;
    private string? _objection;
    private AttemptRemarks _remarks;
    private long _beganMs; // means something only with the remark HasBegun
    private long _saidWaitTicks; // means something only where an outcome is marked SaysWhen
    private Dictionary<object, object?>? _properties;
    private bool _sharesProperties; // with a fork: a change copies them first
    private ResilienceContext? _counter; // the fork that counts the attempts of all; null: there has been none
    private int _counted; // the last number given out, where this is that fork
    private byte _isRunning; // of a fork that a policy of yours has: 1 while what it let go on is under way
    private CallScope? _scope; // null until there is a call around this one, or inside
    private ushort _givenUpBefore; // what GivenUp.Mark said when the attempt began; 0: not asked

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

    /// <summary>As <see cref="PipelineName"/>, for links of ours, which may come up late: never throws.</summary>
    internal string NameOfPipeline => _site.PipelineName;

    /// <summary>As <see cref="Operation"/>, likewise.</summary>
    internal string? NameOfOperation => _operation;

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
            return TimeLeft;
        }
    }

    /// <summary>As <see cref="RemainingTime"/>, for links of ours, which may come up late: never throws.</summary>
    internal TimeSpan? TimeLeft => _deadlineMs == Clock.Never ? null : TimeSpan.FromMilliseconds(Math.Max(0, _deadlineMs - _site.Clock.NowMs));

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
        if (_properties is null)
        {
            _properties = [];
        }
        else if (_sharesProperties)
        {
            _properties = new(_properties);
            _sharesProperties = false;
        }

        _properties[property] = value;
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

    /// <summary>Why the attempt that has ended must not be repeated, whatever it did; null when there is no objection.</summary>
    internal string? RetryObjection
    {
        get => _objection;
        set => _objection = value;
    }

    /// <summary>Why the attempt that has ended must not be repeated; null when there is no objection, or only if something was done and it was not.</summary>
    internal string? ObjectionTo(bool isNotApplied) => isNotApplied && (_remarks & AttemptRemarks.ObjectionYields) != 0 ? null : _objection;

    /// <summary>Another attempt begins: what was said of the one before no longer counts.</summary>
    internal void ForgetAttempt()
    {
        _objection = null;
        _remarks &= AttemptRemarks.OfCall;
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
            || (InnermostTimeout is { } source && source.Token == _cancellationToken && source.HangsOn(_callers)));

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
        _remarks = (copy._remarks & ~AttemptRemarks.OfCall) | (_remarks & AttemptRemarks.OfCall);
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
    internal TimeoutSource? InnermostTimeout { get; set; }

    /// <summary>The account that this call has been credited to, or will be, so that policies that share it credit it once.</summary>
    internal object? CreditedAccount { get; set; }

    /// <summary>Code that is not ours has it in its hands, and may keep it: it serves no other call.</summary>
    internal bool IsShown { get; private set; }

    /// <summary>The call is over; nothing more may begin in its name.</summary>
    internal bool HasEnded => _ended;

    /// <summary>The token for links of ours, which may come up late through a policy that did not wait for them: never throws, and is cancelled
    /// when the call has ended.</summary>
    internal CancellationToken Token
    {
        get => _cancellationToken;
        set => _cancellationToken = value;
    }

    internal void Begin(CallSite site, CancellationToken cancellationToken)
    {
        _site = site;
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
        _sharesProperties = false;
        InnermostTimeout = null;
        CreditedAccount = null;
        _counter = null;
        _scope = null;
        _givenUpBefore = 0;
        _site = null!;
    }

    /// <summary>What still runs in the name of this call finds it cancelled, out of time, and without the timeouts around it, which serve
    /// others by now.</summary>
    private protected void End()
    {
        _ended = true;
        _cancellationToken = new(canceled: true);
        _deadlineMs = 0;
        InnermostTimeout = null;
    }

    /// <summary>What code gets that touches a call after its end.</summary>
    internal static ObjectDisposedException Ended() => new(nameof(ResilienceContext), "The call that this context belonged to has ended.");

    // ---- code that is not ours

    /// <summary>The context, for a callback of the user's.</summary>
    internal ResilienceContext Shown()
    {
        IsShown = true;
        return this;
    }

    /// <summary>A policy that is not ours lets the call go on with this fork. False while what it let go on before is under way.</summary>
    internal bool TryRun() => Interlocked.CompareExchange(ref _isRunning, (byte)1, (byte)0) == 0;

    /// <summary>What it let go on has ended.</summary>
    internal void HasRun() => Volatile.Write(ref _isRunning, (byte)0); // release: what the run wrote is visible to the thread that finds it over

    /// <summary>True while something runs with this fork.</summary>
    internal bool IsRunning => Volatile.Read(ref _isRunning) != 0;

    // ---- calls inside calls

    /// <summary>An attempt begins, and with it perhaps a call inside the one whose delegate runs on this thread.</summary>
    internal void BeginScope(ResilienceContext? around)
    {
        ListenByToken();
        if (_scope is { } scope)
        {
            scope.Clear();
        }
        else if (around is not null && _attempt == 0)
        {
            _scope = new(around._scope ??= new(null));
            if (_callers == around._cancellationToken) _remarks |= AttemptRemarks.KnowsAround;
        }
    }

    /// <summary>From now on calls that get this call's token may be inside of it.</summary>
    internal void ListenByToken() => _givenUpBefore = GivenUp.Mark;

    /// <summary>True when a call inside has given up on what came up.</summary>
    /// <param name="error">What came up.</param>
    /// <param name="token">The token that the delegate was given.</param>
    internal bool IsMarked(Exception error, CancellationToken token)
    {
        bool byToken = GivenUp.Take(error, _givenUpBefore, token); // taken also where the scope says it too: no other call shall find it
        return (_scope is { } scope && scope.Has(error)) || byToken;
    }

    /// <summary>This call gives up on what it ends with: the call around need not repeat it either.</summary>
    internal void TellAround(object? error)
    {
        if (error is null) return;
        _scope?.Around?.Add(error);

        // A delegate that completes another call's task runs its continuation on its own thread: what the thread says is sure only if the token agrees.
        if ((_remarks & AttemptRemarks.KnowsAround) == 0) GivenUp.Add(error, _callers);
    }

    /// <summary>As <see cref="Attempt"/>, also after the end.</summary>
    internal int AttemptNumber => _attempt;

    /// <summary>Makes room in the thread's slot for a spare of another class.</summary>
    internal virtual void Park()
    {
    }

    [DoesNotReturn]
    private static TResult ThrowEnded<TResult>() => throw Ended();
}
