using System.Diagnostics;
using System.Threading.Tasks.Sources;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Base of the chains of one pipeline, one for each result type that has passed.</summary>
internal abstract class Chain
{
    /// <summary>The chain of the same result type through other policies.</summary>
    internal abstract Chain MadeBy(IChainMaker maker);
}

/// <summary>Makes chains of the policies of a pipeline.</summary>
internal interface IChainMaker
{
    Chain<T> MakeChain<T>();
}

/// <summary>The links of a pipeline closed over one result type, and the way in and out of them.</summary>
internal sealed class Chain<T>(PolicyLink<T> head, CallSite site, OutcomeClassifier classifier) : Chain
{
    private readonly int _spareSlot = ResultType<T>.Id & (CallPool.Slots - 1);
    private readonly ObservedLink<T> _observed = new(head, site, classifier);
    private readonly AttemptLink<T>? _onlyLink = head as AttemptLink<T>; // null where there are policies

    internal override Chain MadeBy(IChainMaker maker) => maker.MakeChain<T>();

    /// <summary>Runs the call and answers with its result, or throws what it ended with.</summary>
    internal ValueTask<T> Run<TInvocation>(in TInvocation invocation, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T>
    {
        if (IsTransparent(cancellationToken)) return RunBare(invocation, cancellationToken);
        ref ResilienceContext? slot = ref CallPool.At(_spareSlot);
        return Run(Call<TInvocation, T>.Rent(ref slot, invocation), ref slot, cancellationToken);
    }

    /// <summary>Runs a call that has no result.</summary>
    internal ValueTask RunWithoutResult<TInvocation>(in TInvocation invocation, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T>
    {
        ref ResilienceContext? slot = ref CallPool.At(_spareSlot);
        return RunWithoutResult(Call<TInvocation, T>.Rent(ref slot, invocation), ref slot, cancellationToken);
    }

    /// <summary>Runs the call and answers with its outcome; never throws for a failure.</summary>
    internal ValueTask<Outcome<T>> TryRun<TInvocation>(in TInvocation invocation, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T>
    {
        ref ResilienceContext? slot = ref CallPool.At(_spareSlot);
        return TryRun(Call<TInvocation, T>.Rent(ref slot, invocation), ref slot, cancellationToken);
    }

    /// <summary>As above, for a delegate that sees the context of a call with options.</summary>
    internal ValueTask<T> Run<TInvocation>(in TInvocation invocation, in CallOptions options, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T> => options.ContinueOnCapturedContext && CallersContext.Capture() is { } where
            ? Run(Described(new CapturedInvocation<TInvocation, T>(invocation, where), options), ref CallPool.At(_spareSlot), cancellationToken)
            : Run(Described(invocation, options), ref CallPool.At(_spareSlot), cancellationToken);

    /// <inheritdoc cref="Run{TInvocation}(in TInvocation, in CallOptions, CancellationToken)"/>
    internal ValueTask RunWithoutResult<TInvocation>(in TInvocation invocation, in CallOptions options, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T> =>
        RunWithoutResult(Described(invocation, options), ref CallPool.At(_spareSlot), cancellationToken);

    /// <inheritdoc cref="Run{TInvocation}(in TInvocation, in CallOptions, CancellationToken)"/>
    internal ValueTask<Outcome<T>> TryRun<TInvocation>(in TInvocation invocation, in CallOptions options, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T> => options.ContinueOnCapturedContext && CallersContext.Capture() is { } where
            ? TryRun(Described(new CapturedInvocation<TInvocation, T>(invocation, where), options), ref CallPool.At(_spareSlot), cancellationToken)
            : TryRun(Described(invocation, options), ref CallPool.At(_spareSlot), cancellationToken);

    /// <summary>Runs the call on this thread, which waits wherever a policy does.</summary>
    internal Outcome<T> RunHere<TInvocation>(in TInvocation invocation, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T>
    {
        ref ResilienceContext? slot = ref CallPool.At(_spareSlot);
        return RunHere(Call<TInvocation, T>.Rent(ref slot, invocation), ref slot, cancellationToken);
    }

    /// <inheritdoc cref="RunHere{TInvocation}(in TInvocation, CancellationToken)"/>
    internal Outcome<T> RunHere<TInvocation>(in TInvocation invocation, in CallOptions options, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T> =>
        RunHere(Described(invocation, options), ref CallPool.At(_spareSlot), cancellationToken);

    private Outcome<T> RunHere(Call<T> call, ref ResilienceContext? slot, CancellationToken cancellationToken)
    {
        call.BlockThread();
        ValueTask<Outcome<T>> running = Begin(call, cancellationToken);
        if (!running.IsCompletedSuccessfully) // not by a link of ours
            return SynchronousWait.ForCodeOfOthers(Suspension<T>.Of(call, running).StartTop().AsTask(), site.PipelineName).Result;
        Outcome<T> outcome = running.Result;
        call.Release(ref slot, outcome.RawValue);
        return outcome.Verdict == Verdict.Ignored ? Cancelled.PutBack(outcome, cancellationToken) : outcome;
    }

    /// <summary>The options are put in before the call begins: the clock of the deadline is ours.</summary>
    private Call<TInvocation, T> Described<TInvocation>(in TInvocation invocation, in CallOptions options)
        where TInvocation : struct, IInvocation<T>
    {
        Call<TInvocation, T> call = options.ReleasesContext
            ? Call<TInvocation, T>.Rent(ref CallPool.At(_spareSlot), invocation)
            : Call<TInvocation, T>.MakeShown(invocation);
        call.Describe(options, site);
        return call;
    }

    /// <summary>There is no policy, and a success is neither judged, measured nor traced: a call needs an object only if its delegate has not
    /// succeeded at once.</summary>
    private bool IsTransparent(CancellationToken cancellationToken) =>
        _onlyLink is { IsPlain: true } && !site.Instruments.CallsAreObserved && !cancellationToken.IsCancellationRequested;

    private ValueTask<T> RunBare<TInvocation>(TInvocation invocation, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T>
    {
        ValueTask<Outcome<T>> running;
        Call<T>? call = null;
        try
        {
            ValueTask<T> attempt = invocation.Invoke(null!, cancellationToken);
            if (attempt.IsCompletedSuccessfully) return attempt;
            call = Begun(invocation, cancellationToken);
            running = _onlyLink!.Await(attempt, call);
        }
        catch (Exception error)
        {
            call ??= Begun(invocation, cancellationToken);
            running = new(_onlyLink!.EndedWith(error, call));
        }

        return ResultOf(running, call, ref CallPool.At(_spareSlot), cancellationToken);
    }

    private Call<TInvocation, T> Begun<TInvocation>(in TInvocation invocation, CancellationToken cancellationToken)
        where TInvocation : struct, IInvocation<T>
    {
        Call<TInvocation, T> call = Call<TInvocation, T>.Rent(ref CallPool.At(_spareSlot), invocation);
        call.Begin(site, cancellationToken);
        return call;
    }

    private ValueTask<T> Run(Call<T> call, ref ResilienceContext? slot, CancellationToken cancellationToken) =>
        ResultOf(Begin(call, cancellationToken), call, ref slot, cancellationToken);

    private static ValueTask<T> ResultOf(in ValueTask<Outcome<T>> running, Call<T> call, ref ResilienceContext? slot, CancellationToken cancellationToken)
    {
        if (!running.IsCompletedSuccessfully) return Suspension<T>.Of(call, running).StartTopForResult();
        Outcome<T> outcome = running.Result;
        call.Release(ref slot, outcome.RawValue); // the call has not left this thread, so the slot is still the one it was taken from
        return outcome.HasResult ? new(outcome.RawValue!) : new(EndedBadly(outcome, cancellationToken), 0);
    }

    private ValueTask RunWithoutResult(Call<T> call, ref ResilienceContext? slot, CancellationToken cancellationToken)
    {
        ValueTask<Outcome<T>> running = Begin(call, cancellationToken);
        if (!running.IsCompletedSuccessfully) return Suspension<T>.Of(call, running).StartTopWithoutResult();
        Outcome<T> outcome = running.Result;
        call.Release(ref slot, outcome.RawValue);
        return outcome.HasResult ? default : new(EndedBadly(outcome, cancellationToken), 0);
    }

    private ValueTask<Outcome<T>> TryRun(Call<T> call, ref ResilienceContext? slot, CancellationToken cancellationToken)
    {
        ValueTask<Outcome<T>> running = Begin(call, cancellationToken);
        if (!running.IsCompletedSuccessfully) return Suspension<T>.Of(call, running).StartTop();
        Outcome<T> outcome = running.Result;
        call.Release(ref slot, outcome.RawValue);
        return new(outcome.Verdict == Verdict.Ignored ? Cancelled.PutBack(outcome, cancellationToken) : outcome);
    }

    /// <summary>A caller who has left already is not observed, and takes nothing.</summary>
    private ValueTask<Outcome<T>> Begin(Call<T> call, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return new(CancelledBeforeStart(cancellationToken));
        call.Begin(site, cancellationToken);
        if (RequestUse.HasBegun) call.TakeUpRequest();
        return site.Instruments.CallsAreObserved ? _observed.ExecuteAsync(call) : head.ExecuteAsync(call);
    }

    private static Outcome<T> CancelledBeforeStart(CancellationToken cancellationToken) =>
        new(default, new OperationCanceledException(cancellationToken), Verdict.Ignored, OutcomeMarks.None);

    private static EndedWithoutResult EndedBadly(in Outcome<T> outcome, CancellationToken cancellationToken) =>
        new(Cancelled.PutBack(outcome, cancellationToken));

    /// <summary>A finished task that throws once, when it is awaited, and not before: half the price of an async method that throws.</summary>
    private sealed class EndedWithoutResult(Outcome<T> outcome) : IValueTaskSource<T>, IValueTaskSource
    {
        public ValueTaskSourceStatus GetStatus(short token) =>
            outcome.Error is OperationCanceledException ? ValueTaskSourceStatus.Canceled : ValueTaskSourceStatus.Faulted;

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            ThreadPool.QueueUserWorkItem(continuation, state, preferLocal: false);

        [StackTraceHidden]
        public T GetResult(short token) => outcome.GetValueOrThrow();

        [StackTraceHidden]
        void IValueTaskSource.GetResult(short token) => outcome.GetValueOrThrow();
    }
}
