using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Resilience;

/// <summary>The part of a suspension that does not depend on the result.</summary>
internal abstract class Suspension
{
    private const long Always = long.MaxValue;

    private static readonly ContextCallback Callback = static suspension => ((Suspension)suspension!).Resume();

    private protected readonly Action Continuation;
    private protected ExecutionContext? Flow; // of the caller; null where its flow is suppressed
    internal Suspension? NextSpare; // of the thread
    internal int SpareCount; // with those behind it
    private long _wait = 1; // number of what is waited for now, of all that this has ever waited for; one more once it calls back
    private long _rejected; // number of one that threw when it was asked to call back, until it is settled who goes on; Always: whatever calls does so in vain

    private protected Suspension() => Continuation = OnCompleted;

    /// <summary>Whether something threw that may still call back: it does so in vain, and this is not used again.</summary>
    private protected bool IsSpoiled => _rejected == Always;

    /// <summary>The number of what is waited for now.</summary>
    private protected long Waiting => _wait;

    /// <summary>What was to be waited for threw when it was asked to call back. From now on it calls in vain.</summary>
    /// <returns>False when it had called back already: then the call is on its way, and this may serve another.</returns>
    /// <remarks>Who calls back says so and looks whether it was rejected; here it is the other way round, so that at least one sees the other. If both do, who
    /// calls back waits for what is settled here. The fence stands on this side alone, for all processors: the other side is the way of every call.</remarks>
    private protected bool TryReject(long wait)
    {
        long seen;
        while ((seen = Volatile.Read(ref _rejected)) < wait && Interlocked.CompareExchange(ref _rejected, wait, seen) != seen)
        {
            // Another whom it no longer serves has looked at the same time.
        }

        if (seen >= wait) return false; // it serves another already, which was rejected
        Interlocked.MemoryBarrierProcessWide();
        bool isOurs = Volatile.Read(ref _wait) == wait;
        Interlocked.CompareExchange(ref _rejected, isOurs ? Always : 0, wait);
        return isOurs;
    }

    /// <summary>What was waited for has ended, on whatever thread.</summary>
    private void OnCompleted()
    {
        long wait = _wait;
        Volatile.Write(ref _wait, wait + 1);
        if (Volatile.Read(ref _rejected) < wait || !IsRejected(wait)) ResumeInFlow();
    }

    private bool IsRejected(long wait)
    {
        SpinWait spin = default;
        while (Volatile.Read(ref _rejected) == wait) spin.SpinOnce();
        return Volatile.Read(ref _rejected) == Always;
    }

    /// <summary>In the caller's execution context.</summary>
    private protected void ResumeInFlow()
    {
        if (Flow is { } flow) ExecutionContext.Run(flow, Callback, this);
        else Resume();
    }

    private protected abstract void Resume();
}

/// <summary>A call that is away: what it waits for, and what each link above has to do when it comes back. One object for the whole way up, in
/// place of an async method for each link; and what the caller awaits.</summary>
/// <remarks>
/// <code>
///   made by AttemptLink ── each link on the way up pushes a frame ──► subscribed ──► delegate has ended ──► frames, innermost first ──► completed
///        (or by the first link above one that awaits by itself)            │                                      │
///                                                                          │                                      └─ a frame must wait: subscribed
///   on the stack of the call, no other thread has it                      │ any thread, one at a time              again, to what that frame awaits
/// </code>
/// <para>
/// Until it is subscribed it belongs to the thread on which the call comes up, so pushing needs no synchronisation. The one who awaits the call
/// subscribes it: the chain at the top and the seam below a policy of the user's at once, any other by awaiting. So a link of ours that
/// awaits the call in a method of its own needs to know nothing of this.
/// </para>
/// <para>
/// After the subscription another thread may be at work here, and after the completion the one who awaits may have given the suspension back, and
/// another call may have it: nothing is touched after either.
/// </para>
/// </remarks>
internal sealed class Suspension<T> : Suspension, IValueTaskSource<Outcome<T>>, IValueTaskSource<T>, IValueTaskSource
{
    private const int MaxSparesOfThread = 8;
    private const int UsualFrames = 6;

    private readonly int _slot = ResultType<T>.Id;
    private Frame[] _frames = new Frame[UsualFrames];
    private int _count;
    private int _resumed; // how many frames have had their turn; the innermost, which was pushed first, is the first
    private bool _isTop;
    private bool _isSubscribed;
    private Call<T>? _call;
    private AttemptLink<T>? _attempt; // whose delegate is waited for; null: a link is
    private ValueTask<T> _delegate;
    private ValueTask<Outcome<T>> _link;
    private ManualResetValueTaskSourceCore<Outcome<T>> _completion;

    private struct Frame
    {
        internal SuspendingLink<T> Link;
        internal FrameState State;
    }

    /// <summary>The outcome of the call as far up as frames were pushed.</summary>
    internal ValueTask<Outcome<T>> Completion => new(this, _completion.Version);

    // ---- on the way up, on the stack of the call

    /// <summary>The delegate has not ended.</summary>
    internal static ValueTask<Outcome<T>> Begin(Call<T> call, AttemptLink<T> attempt, in ValueTask<T> running)
    {
        Suspension<T> suspension = Rent(call);
        suspension._attempt = attempt;
        suspension._delegate = running;
        return suspension.Completion;
    }

    /// <summary>The suspension on which the call comes up: that of the links below, or a new one where what is below awaits by itself.</summary>
    internal static Suspension<T> Of(Call<T> call, in ValueTask<Outcome<T>> running)
    {
        if (call.Suspension is { } open && running.Equals(open.Completion)) return open;
        Suspension<T> suspension = Rent(call);
        suspension._link = running;
        return suspension;
    }

    /// <summary>What the link does when the call comes back.</summary>
    internal void Push(SuspendingLink<T> link, in FrameState state)
    {
        if (_count == _frames.Length) Array.Resize(ref _frames, _count * 2);
        ref Frame frame = ref _frames[_count++];
        frame.Link = link;
        if (state.First is not null) frame.State = state; // the collector wants to know of each reference that is written
        else frame.State = new(null, null, state.Number);
    }

    /// <summary>Lets the call come back though it is not awaited yet.</summary>
    internal ValueTask<Outcome<T>> Start()
    {
        ValueTask<Outcome<T>> completion = Completion;
        Subscribe();
        return completion;
    }

    /// <summary>The same at the top: when it comes back the call is over.</summary>
    internal ValueTask<Outcome<T>> StartTop()
    {
        _isTop = true;
        return Start();
    }

    /// <summary>The same for a caller who gets the result or an exception.</summary>
    internal ValueTask<T> StartTopForResult()
    {
        _isTop = true;
        ValueTask<T> completion = new(this, _completion.Version);
        Subscribe();
        return completion;
    }

    /// <summary>The same for a caller to whom there is no result.</summary>
    internal ValueTask StartTopWithoutResult()
    {
        _isTop = true;
        ValueTask completion = new(this, _completion.Version);
        Subscribe();
        return completion;
    }

    private void Subscribe()
    {
        _isSubscribed = true;
        if (_call!.Suspension == this) _call.Suspension = null;
        Flow = ExecutionContext.Capture();
        Wait();
    }

    /// <summary>Nothing is touched after this, unless what is waited for throws and has not called back.</summary>
    private void Wait()
    {
        long wait = Waiting;
        try
        {
            if (IsSpoiled) WaitAside();
            else if (_attempt is not null) _call!.Subscribe(_delegate, Continuation);
            else _link.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(Continuation);
        }
        catch (Exception error) when (error is not ThreadInterruptedException) // that is for the thread, not for the call
        {
            Rejected(error, wait);
        }
    }

    /// <summary>By way of a task, which never throws when it is asked to call back.</summary>
    private void WaitAside()
    {
        Task<Outcome<T>> task = _link.AsTask();
        _link = new(task);
        task.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(ResumeInFlow);
    }

    /// <summary>A source of the user's cannot be waited for: it has ended with that.</summary>
    private void Rejected(Exception error, long wait)
    {
        Safely.Report("value task source", error);
        if (!IsSpoiled && !TryReject(wait)) return; // a second one was given a task to call, not us
        Call<T> call = _call!;
        GoOn(_attempt is { } attempt ? attempt.EndedWith(error, call) : OutcomeOfThrown(error), call);
    }

    // ---- on the thread where what it waited for has ended

    private protected override void Resume()
    {
        Call<T> call = _call!;
        GoOn(_attempt is { } attempt ? attempt.EndSafely(_delegate, call) : OutcomeOfLink(), call);
    }

    private void GoOn(Outcome<T> outcome, Call<T> call)
    {
        while (_resumed < _count)
        {
            ref Frame frame = ref _frames[_resumed++];
            if (frame.Link.Resume(call, frame.State, ref outcome, out ValueTask<Outcome<T>> running)) continue;
            WaitFor(running);
            return;
        }

        Complete(outcome, call);
    }

    /// <summary>A link that we did not write may have thrown; the frame above it knows what to do.</summary>
    private Outcome<T> OutcomeOfLink()
    {
        try
        {
            return _link.Result;
        }
        catch (Exception error)
        {
            return OutcomeOfThrown(error);
        }
    }

    private Outcome<T> OutcomeOfThrown(Exception error)
    {
        if (_resumed == _count) return SuspendingLink<T>.Broken(error);
        ref Frame frame = ref _frames[_resumed++];
        return frame.Link.ResumeThrown(_call!, frame.State, error);
    }

    private void WaitFor(in ValueTask<Outcome<T>> running)
    {
        _attempt = null;
        _delegate = default;
        _link = running;
        Wait();
    }

    private void Complete(Outcome<T> outcome, Call<T> call)
    {
        if (_isTop)
        {
            if (outcome.Verdict == Verdict.Ignored) outcome = Cancelled.PutBack(outcome, call.CallersToken);
            call.Release(ref CallPool.At(_slot), outcome.RawValue);
        }

        _completion.SetResult(outcome);
    }

    // ---- the pool

    private static Suspension<T> Rent(Call<T> call)
    {
        ref Suspension? spare = ref CallPool.SuspensionAt(ResultType<T>.Id);
        if (spare is Suspension<T> suspension) spare = suspension.NextSpare;
        else suspension = SpareObjects<Suspension<T>>.TryTake() ?? new();
        suspension._call = call;
        call.Suspension = suspension;
        return suspension;
    }

    private void Return()
    {
        if (IsSpoiled) return;
        _completion.Reset();
        _frames.AsSpan(0, _count).Clear();
        _count = _resumed = 0;
        _isTop = _isSubscribed = false;
        _call = null;
        _attempt = null;
        _delegate = default;
        _link = default;
        Flow = null;
        ref Suspension? spare = ref CallPool.SuspensionAt(_slot);
        int count = spare is Suspension<T> first ? first.SpareCount + 1 : 1;
        if (count > MaxSparesOfThread)
        {
            SpareObjects<Suspension<T>>.Give(this);
            return;
        }

        NextSpare = count == 1 ? null : spare;
        SpareCount = count;
        spare = this;
    }

    // ---- what the one who awaits sees

    [StackTraceHidden]
    private Outcome<T> Take(short token)
    {
        Outcome<T> outcome = _completion.GetResult(token);
        Return();
        return outcome;
    }

    private void Await(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        bool isFirst = !_isSubscribed;
        _completion.OnCompleted(continuation, state, token, flags);
        if (isFirst) Subscribe();
    }

    private ValueTaskSourceStatus StatusOf(short token)
    {
        ValueTaskSourceStatus status = _completion.GetStatus(token);
        if (status == ValueTaskSourceStatus.Pending) return status;
        Outcome<T> outcome = _completion.GetResult(token);
        return outcome.HasResult ? ValueTaskSourceStatus.Succeeded
            : outcome.Error is OperationCanceledException ? ValueTaskSourceStatus.Canceled
            : ValueTaskSourceStatus.Faulted;
    }

    Outcome<T> IValueTaskSource<Outcome<T>>.GetResult(short token) => Take(token);

    ValueTaskSourceStatus IValueTaskSource<Outcome<T>>.GetStatus(short token) => _completion.GetStatus(token);

    void IValueTaskSource<Outcome<T>>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        Await(continuation, state, token, flags);

    [StackTraceHidden]
    T IValueTaskSource<T>.GetResult(short token) => Take(token).GetValueOrThrow();

    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => StatusOf(token);

    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        Await(continuation, state, token, flags);

    [StackTraceHidden]
    void IValueTaskSource.GetResult(short token) => Take(token).GetValueOrThrow();

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => StatusOf(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        Await(continuation, state, token, flags);
}
