using System.Diagnostics.CodeAnalysis;
using Resilience.Events;
using Resilience.Overload;

namespace Resilience;

/// <summary>The one object that travels with a call, down to the delegate and up again.</summary>
/// <remarks>
/// It belongs to one call and to one policy at a time, so it needs no synchronisation: a policy that lets a part of the call run beside
/// others, or does not wait for it, gives that part a <see cref="Fork"/>. A context that was shown to a policy or a delegate of yours
/// throws <see cref="ObjectDisposedException"/> when it is touched after its call; what only ours have seen is used again.
/// </remarks>
public abstract partial class ResilienceContext
{
    /// <summary>For this folder.</summary>
    internal CallState State = new() { Site = CallSite.None, DeadlineMs = Clock.Never };

    private protected ResilienceContext()
    {
    }

    /// <summary>The token that the delegate receives. A policy that replaces it puts the former one back when the call comes up again.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public CancellationToken CancellationToken
    {
        get => State.HasEnded ? ThrowEnded<CancellationToken>() : State.CancellationToken;
        set
        {
            if (State.HasEnded) ThrowEnded<CancellationToken>();
            State.CancellationToken = value;
        }
    }

    /// <summary>The number of this attempt: 0 for the first, 1 for the first retry or hedge. No two attempts of a call have the same.</summary>
    public int Attempt
    {
        get => State.HasEnded ? ThrowEnded<int>() : State.Attempt;
        internal set => State.Attempt = value;
    }

    /// <summary>The name of the pipeline, empty if it has none.</summary>
    public string PipelineName => State.HasEnded ? ThrowEnded<string>() : State.Site.PipelineName;

    /// <summary>As <see cref="PipelineName"/>, for links of ours, which may come up late: never throws.</summary>
    internal string NameOfPipeline => State.Site.PipelineName;

    /// <summary>As <see cref="Operation"/>, likewise.</summary>
    internal string? NameOfOperation => State.Operation;

    /// <summary>What the caller says it is doing, for telemetry and for keyed policies; null if it did not say.</summary>
    public string? Operation => State.HasEnded ? ThrowEnded<string?>() : State.Operation;

    /// <summary>How much it matters that the call succeeds (<see cref="CallOptions.Criticality"/>, or that of the request).</summary>
    public Criticality Criticality => State.HasEnded ? ThrowEnded<Criticality>() : this.CriticalityOfCall;

    /// <summary>The pipeline's source of time.</summary>
    public TimeProvider TimeProvider => State.HasEnded ? ThrowEnded<TimeProvider>() : State.Site.Clock.Provider;

    /// <summary>Time left before the earliest deadline of this call (the caller's, the request's, or that of a timeout around us), never negative;
    /// null when there is none.</summary>
    public TimeSpan? RemainingTime
    {
        get
        {
            if (State.HasEnded) ThrowEnded<int>();
            return TimeLeft;
        }
    }

    /// <summary>As <see cref="RemainingTime"/>, for links of ours, which may come up late: never throws.</summary>
    internal TimeSpan? TimeLeft =>
        State.DeadlineMs == Clock.Never ? null : TimeSpan.FromMilliseconds(Math.Max(0, State.DeadlineMs - State.Site.Clock.NowMs));

    /// <summary>Gets something that travels with the call.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="property"/> is null.</exception>
    public bool TryGet<TValue>(ResilienceProperty<TValue> property, [MaybeNullWhen(false)] out TValue value)
    {
        ArgumentNullException.ThrowIfNull(property);
        if (State.HasEnded) ThrowEnded<int>();
        return TryFind(property, out value);
    }

    /// <summary>As <see cref="TryGet"/>, for links of ours, which may come up late: never throws.</summary>
    internal bool TryFind<TValue>(ResilienceProperty<TValue> property, [MaybeNullWhen(false)] out TValue value)
    {
        if (State.Properties is not null && State.Properties.TryGetValue(property, out object? stored))
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
        if (State.HasEnded) ThrowEnded<int>();
        if (State.Properties is null)
        {
            State.Properties = [];
        }
        else if (State.SharesProperties)
        {
            State.Properties = new(State.Properties);
            State.SharesProperties = false;
        }

        State.Properties[property] = value;
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
        if (State.HasEnded) ThrowEnded<int>();
        State.Objection = reason;
        State.Remarks = unlessNotApplied ? State.Remarks | AttemptRemarks.ObjectionYields : State.Remarks & ~AttemptRemarks.ObjectionYields;
    }

    /// <summary>Takes back what <see cref="ForbidRetry"/> said of this attempt: a delegate that forbids before it sends, because it may
    /// never be heard of again, allows when it knows that nothing was sent.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public void AllowRetry()
    {
        if (State.HasEnded) ThrowEnded<int>();
        State.Objection = null;
        State.Remarks &= ~AttemptRemarks.IsFinal;
    }

    /// <summary>Says that this attempt did nothing, because it was seen: nothing was sent, or the receiver said so. If it ends with an exception that
    /// is a failure, the outcome is <see cref="Outcome{T}.NotApplied"/>. For the delegate. Counts for this attempt only.</summary>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public void ReportNotApplied()
    {
        if (State.HasEnded) ThrowEnded<int>();
        State.Remarks |= AttemptRemarks.NotApplied;
    }

    /// <summary>Why the attempt that has ended must not be repeated, whatever it did; null when there is no objection.</summary>
    internal string? RetryObjection
    {
        get => State.Objection;
        set => State.Objection = value;
    }

    /// <summary>Why the attempt that has ended must not be repeated; null when there is no objection, or only if something was done and it was not.</summary>
    internal string? ObjectionTo(bool isNotApplied) => isNotApplied && (State.Remarks & AttemptRemarks.ObjectionYields) != 0 ? null : State.Objection;

    /// <summary>Another attempt begins: remarks on the one before no longer count.</summary>
    internal void ForgetAttempt()
    {
        State.Objection = null;
        State.Remarks &= AttemptRemarks.OfCall;
    }

    /// <summary>The attempt under way began only now, not with the limits around it.</summary>
    internal void MarkBegun()
    {
        State.BeganMs = State.Site.Clock.NowMs;
        State.Remarks |= AttemptRemarks.HasBegun;
    }

    /// <summary>Whether the attempt had at least half of the time of a limit of this length that was due then.</summary>
    internal bool HadHalfOf(long dueAtMs, long lengthMs)
    {
        long had = (State.Remarks & AttemptRemarks.HasBegun) == 0 ? lengthMs : Math.Min(lengthMs, dueAtMs - State.BeganMs);
        return had >= lengthMs - had;
    }

    /// <summary>The token of the caller of the pipeline, whatever policies have put in its place.</summary>
    internal CancellationToken CallersToken => State.Callers;

    /// <summary>The caller's token is cancelled, and what the delegate was given hangs on it, though it may not have heard yet.</summary>
    internal bool HasCallerLeft =>
        State.Callers.IsCancellationRequested
        && (State.CancellationToken == State.Callers
            || (InnermostTimeout is { } source && source.Token == State.CancellationToken && source.HangsOn(State.Callers)));

    /// <summary>What the delegate saw of the attempt that has ended with an exception; asked once.</summary>
    internal OutcomeMarks TakeReport() => AttemptReport.Take(ref State.Remarks);

    /// <summary>Remarks on an attempt that a copy of this context received are remarks on the call's.</summary>
    internal void TakeRemarks(ResilienceContext copy)
    {
        State.Objection = copy.State.Objection;
        State.Remarks = (copy.State.Remarks & ~AttemptRemarks.OfCall) | (State.Remarks & AttemptRemarks.OfCall);
        State.StatedWaitTicks = copy.State.StatedWaitTicks;
    }

    /// <summary>When to come back, as the rule said that judged the attempt which has ended.</summary>
    internal TimeSpan StatedRetryAfter
    {
        get => new(State.StatedWaitTicks);
        set => State.StatedWaitTicks = value.Ticks;
    }

    internal Clock Clock => State.Site.Clock;

    /// <summary>The call has a span that is sampled, so its attempts shall be spans below it. Set and cleared by the link that observes the call: a
    /// call that is not observed pays nothing for it but a look.</summary>
    internal bool IsTraced
    {
        get => (State.Remarks & AttemptRemarks.IsTraced) != 0;
        set => State.Remarks = value ? State.Remarks | AttemptRemarks.IsTraced : State.Remarks & ~AttemptRemarks.IsTraced;
    }

    /// <summary>The earliest deadline on the <see cref="Resilience.Clock"/>'s line; <see cref="Clock.Never"/> when there is none.</summary>
    internal long DeadlineMs
    {
        get => State.DeadlineMs;
        set => State.DeadlineMs = value;
    }

    /// <summary>The innermost timeout that is armed around us, so that a new one can hang below it instead of registering on its token.</summary>
    internal TimeoutSource? InnermostTimeout
    {
        get => State.InnermostTimeout;
        set => State.InnermostTimeout = value;
    }

    /// <summary>The account that this call has been credited to, or will be, so that policies that share it credit it once.</summary>
    internal object? CreditedAccount
    {
        get => State.CreditedAccount;
        set => State.CreditedAccount = value;
    }

    /// <summary>Code that is not ours has it in its hands, and may keep it: it serves no other call.</summary>
    internal bool IsShown => State.IsShown;

    /// <summary>The call is over; nothing more may begin in its name.</summary>
    internal bool HasEnded => State.HasEnded;

    /// <summary>The token for links of ours, which may come up late through a policy that did not wait for them: never throws, and is cancelled
    /// when the call has ended.</summary>
    internal CancellationToken Token
    {
        get => State.CancellationToken;
        set => State.CancellationToken = value;
    }

    internal void Begin(CallSite site, CancellationToken cancellationToken)
    {
        State.Site = site;
        if (cancellationToken.CanBeCanceled) State.CancellationToken = State.Callers = cancellationToken;
    }

    internal void Describe(in CallOptions options, CallSite site)
    {
        State.Operation = options.Operation;
        if (options.Deadline is { } deadline) State.DeadlineMs = Clock.After(site.Clock.NowMs, deadline);
        if (options.Criticality is { } criticality) this.SayCriticality(criticality);
        if (options.DeadlineCounts) State.Remarks |= AttemptRemarks.DeadlineCounts;
        if (options.Properties is { } properties) State.Properties = new(properties.Values);
    }

    /// <summary>Wipes the context for the next call.</summary>
    private protected void Wipe()
    {
        State = default; // in two steps: a value that is made elsewhere is copied, and the collector told, field by field
        State.DeadlineMs = Clock.Never;
    }

    /// <summary>What still runs in the name of this call finds it cancelled, out of time, and without the timeouts around it, which serve
    /// others by now.</summary>
    private protected void End()
    {
        State.HasEnded = true;
        State.CancellationToken = new(canceled: true);
        State.DeadlineMs = 0;
        InnermostTimeout = null;
    }

    /// <summary>What code gets that touches a call after its end.</summary>
    internal static ObjectDisposedException Ended() => new(nameof(ResilienceContext), "The call that this context belonged to has ended.");

    // ---- code that is not ours

    /// <summary>The context, for a callback of the user's.</summary>
    internal ResilienceContext Shown()
    {
        State.IsShown = true;
        return this;
    }

    /// <summary>A policy that is not ours lets the call go on with this fork. False while what it let go on before is under way.</summary>
    internal bool TryRun() => Interlocked.CompareExchange(ref State.IsRunning, (byte)1, (byte)0) == 0;

    /// <summary>What it let go on has ended.</summary>
    internal void HasRun() => Volatile.Write(ref State.IsRunning, (byte)0); // release: what the run wrote is visible to the thread that finds it over

    /// <summary>True while something runs with this fork.</summary>
    internal bool IsRunning => Volatile.Read(ref State.IsRunning) != 0;

    /// <summary>As <see cref="Attempt"/>, also after the end.</summary>
    internal int AttemptNumber => State.Attempt;

    /// <summary>Makes room in the thread's slot for a spare of another class.</summary>
    internal virtual void Park()
    {
    }

    [DoesNotReturn]
    private static TResult ThrowEnded<TResult>() => throw Ended();
}
