using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;

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
    /// <summary>Where this thread keeps a spare call of this result type.</summary>
    internal readonly int SpareSlot = ResultType<T>.Id & (CallPool.Slots - 1);

    private readonly Func<T, string?>? _nameOf = classifier.BindName<T>();

    internal override Chain MadeBy(IChainMaker maker) => maker.MakeChain<T>();

    internal ValueTask<T> Run(Func<CancellationToken, ValueTask<T>> callback, CancellationToken cancellationToken)
    {
        ref ResilienceContext? slot = ref CallPool.At(SpareSlot);
        return RunAsync(DelegateCall<T>.Rent(ref slot, callback), ref slot, cancellationToken);
    }

    internal ValueTask<T> Run(Func<CancellationToken, Task<T>> callback, CancellationToken cancellationToken)
    {
        ref ResilienceContext? slot = ref CallPool.At(SpareSlot);
        return RunAsync(TaskDelegateCall<T>.Rent(ref slot, callback), ref slot, cancellationToken);
    }

    internal ValueTask<T> Run<TState>(Func<TState, CancellationToken, ValueTask<T>> callback, TState state, CancellationToken cancellationToken)
    {
        ref ResilienceContext? slot = ref CallPool.At(SpareSlot);
        return RunAsync(StateCall<TState, T>.Rent(ref slot, callback, state), ref slot, cancellationToken);
    }

    internal ValueTask<T> Run<TState>(Func<TState, CancellationToken, Task<T>> callback, TState state, CancellationToken cancellationToken)
    {
        ref ResilienceContext? slot = ref CallPool.At(SpareSlot);
        return RunAsync(TaskStateCall<TState, T>.Rent(ref slot, callback, state), ref slot, cancellationToken);
    }

    internal ValueTask<Outcome<T>> TryRun(Func<CancellationToken, ValueTask<T>> callback, CancellationToken cancellationToken)
    {
        ref ResilienceContext? slot = ref CallPool.At(SpareSlot);
        return TryRunAsync(DelegateCall<T>.Rent(ref slot, callback), ref slot, cancellationToken);
    }

    internal ValueTask<Outcome<T>> TryRun(Func<CancellationToken, Task<T>> callback, CancellationToken cancellationToken)
    {
        ref ResilienceContext? slot = ref CallPool.At(SpareSlot);
        return TryRunAsync(TaskDelegateCall<T>.Rent(ref slot, callback), ref slot, cancellationToken);
    }

    internal ValueTask<Outcome<T>> TryRun<TState>(Func<TState, CancellationToken, ValueTask<T>> callback, TState state, CancellationToken cancellationToken)
    {
        ref ResilienceContext? slot = ref CallPool.At(SpareSlot);
        return TryRunAsync(StateCall<TState, T>.Rent(ref slot, callback, state), ref slot, cancellationToken);
    }

    internal ValueTask<Outcome<T>> TryRun<TState>(Func<TState, CancellationToken, Task<T>> callback, TState state, CancellationToken cancellationToken)
    {
        ref ResilienceContext? slot = ref CallPool.At(SpareSlot);
        return TryRunAsync(TaskStateCall<TState, T>.Rent(ref slot, callback, state), ref slot, cancellationToken);
    }

    /// <summary>Runs the call and answers with its ending; never throws for a failure.</summary>
    internal ValueTask<Outcome<T>> TryRunAsync(Call<T> call, ref ResilienceContext? slot, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return new(CancelledBeforeStart(call, cancellationToken));
        call.Begin(site, cancellationToken);
        if (site.Instruments.CallsAreObserved) return ObserveAsync(call);

        ValueTask<Outcome<T>> running = head.ExecuteAsync(call);
        if (!running.IsCompletedSuccessfully) return AwaitAsync(running, call);
        Outcome<T> outcome = running.Result;
        call.Release(ref slot); // the call has not left this thread, so the slot is still the one it was taken from
        return new(outcome.Verdict == Verdict.Ignored ? Cancelled.PutBack(outcome, cancellationToken) : outcome);
    }

    /// <summary>Runs the call and answers with its result, or throws what it ended with.</summary>
    internal ValueTask<T> RunAsync(Call<T> call, ref ResilienceContext? slot, CancellationToken cancellationToken)
    {
        Outcome<T> outcome;
        if (cancellationToken.IsCancellationRequested)
        {
            outcome = CancelledBeforeStart(call, cancellationToken);
        }
        else
        {
            call.Begin(site, cancellationToken);
            if (site.Instruments.CallsAreObserved) return AwaitValueAsync(ObserveAsync(call), null);
            ValueTask<Outcome<T>> running = head.ExecuteAsync(call);
            if (!running.IsCompletedSuccessfully) return AwaitValueAsync(running, call);
            outcome = running.Result;
            call.Release(ref slot);
        }

        return outcome.HasResult ? new(outcome.RawValue!) : new(new EndedWithoutResult(Cancelled.PutBack(outcome, cancellationToken)), 0);
    }

    /// <summary>As above, for a call with options. They are put in before the call begins: the clock of the deadline is ours.</summary>
    internal ValueTask<Outcome<T>> TryRunAsync(Call<T> call, in CallOptions options, CancellationToken cancellationToken)
    {
        call.Describe(options, site);
        return TryRunAsync(call, ref CallPool.At(SpareSlot), cancellationToken);
    }

    /// <inheritdoc cref="TryRunAsync(Call{T}, in CallOptions, CancellationToken)"/>
    internal ValueTask<T> RunAsync(Call<T> call, in CallOptions options, CancellationToken cancellationToken)
    {
        call.Describe(options, site);
        return RunAsync(call, ref CallPool.At(SpareSlot), cancellationToken);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome<T>> AwaitAsync(ValueTask<Outcome<T>> running, Call<T> call)
    {
        Outcome<T> outcome;
        try
        {
            outcome = await running.ConfigureAwait(false);
        }
        catch (Exception error)
        {
            return Broken(error);
        }

        if (outcome.Verdict == Verdict.Ignored) outcome = Cancelled.PutBack(outcome, call.CallersToken);
        call.Release(ref CallPool.At(SpareSlot));
        return outcome;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<T> AwaitValueAsync(ValueTask<Outcome<T>> running, Call<T>? call)
    {
        Outcome<T> outcome;
        try
        {
            outcome = await running.ConfigureAwait(false);
            if (call is not null)
            {
                if (outcome.Verdict == Verdict.Ignored) outcome = Cancelled.PutBack(outcome, call.CallersToken);
                call.Release(ref CallPool.At(SpareSlot));
            }
        }
        catch (Exception error)
        {
            outcome = Broken(error);
        }

        return outcome.GetValueOrThrow();
    }

    private async ValueTask<Outcome<T>> EndingOfAsync(Call<T> call)
    {
        try
        {
            return await head.ExecuteAsync(call).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            return Broken(error);
        }
    }

    /// <summary>A link never throws, so this is not reached. If one did, the call would have an outcome all the same, it would be counted, and
    /// the call object would not be used again.</summary>
    private static Outcome<T> Broken(Exception error)
    {
        Safely.Report("link", error);
        return new(default, error, Verdict.Failure, OutcomeMarks.None);
    }

    /// <summary>The path that is taken when somebody listens: a span and two measurements around the same chain.</summary>
    private async ValueTask<Outcome<T>> ObserveAsync(Call<T> call)
    {
        string pipelineName = site.PipelineName;
        TimeProvider time = site.Clock.Time;
        string? operation = call.Operation;
        using Span span = Span.Start(pipelineName.Length == 0 ? "resilience" : pipelineName);
        call.IsTraced = span.IsRecorded;
        long start = time.GetTimestamp();
        Outcome<T> outcome = await EndingOfAsync(call).ConfigureAwait(false);
        double seconds = time.GetElapsedTime(start).TotalSeconds;
        int attempts = call.Attempt + 1;
        call.IsTraced = false;
        if (outcome.Verdict == Verdict.Ignored) outcome = Cancelled.PutBack(outcome, call.CallersToken);
        call.Release(ref CallPool.At(SpareSlot));
        if (!span.Exists && !site.Instruments.CallsAreMeasured) return outcome;

        string? errorType = outcome.Verdict == Verdict.Success ? null
            : classifier.ErrorTypeOf(outcome.Error) ?? _nameOf?.Invoke(outcome.RawValue!) ?? "result";
        TagList tags = new()
        {
            { ResilienceTelemetry.PipelineTag, pipelineName },
            { ResilienceTelemetry.VerdictTag, ResilienceTelemetry.NameOf(outcome.Verdict) },
        };
        if (operation is not null) tags.Add(ResilienceTelemetry.OperationTag, operation);
        if (errorType is not null) tags.Add(ResilienceTelemetry.ErrorTypeTag, errorType);
        site.Instruments.Duration.Record(seconds, tags);
        site.Instruments.AttemptsOfCall.Record(attempts, tags);
        if (!span.Exists) return outcome;
        foreach (KeyValuePair<string, object?> tag in tags) span.Tag(tag.Key, tag.Value);
        span.Tag("resilience.attempts", attempts);
        if (errorType is not null) span.Fail();
        return outcome;
    }

    private Outcome<T> CancelledBeforeStart(Call<T> call, CancellationToken cancellationToken)
    {
        call.Release(ref CallPool.At(SpareSlot));
        return new(default, new OperationCanceledException(cancellationToken), Verdict.Ignored, OutcomeMarks.None);
    }

    /// <summary>A finished task that throws once, when it is awaited, and not before: half the price of an async method that throws.</summary>
    private sealed class EndedWithoutResult(Outcome<T> outcome) : IValueTaskSource<T>
    {
        public ValueTaskSourceStatus GetStatus(short token) =>
            outcome.Error is OperationCanceledException ? ValueTaskSourceStatus.Canceled : ValueTaskSourceStatus.Faulted;

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            ThreadPool.QueueUserWorkItem(continuation, state, preferLocal: false);

        public T GetResult(short token) => outcome.GetValueOrThrow();
    }
}
