namespace Resilience;

/// <summary>One call that comes from Polly: its delegate, context and state.</summary>
internal sealed class CallFromPolly<TResult, TState>(
    Func<Polly.ResilienceContext, TState, ValueTask<Polly.Outcome<TResult>>> callback, Polly.ResilienceContext context, TState state)
{
    private readonly CancellationToken _callers = context.CancellationToken;
    private volatile bool _isOver; // an attempt that was left alone must not touch the context, which serves another call by then

    internal CallOptions Options => new(context.OperationKey) { ReleasesContext = true, ContinueOnCapturedContext = context.ContinueOnCapturedContext };

    internal async ValueTask<TResult> RunAsync(CancellationToken token)
    {
        PollyContext.SetToken(context, token);
        try
        {
            Polly.Outcome<TResult> outcome = await callback(context, state).ConfigureAwait(context.ContinueOnCapturedContext);
            outcome.ThrowIfException();
            return outcome.Result!;
        }
        finally
        {
            if (!_isOver) PollyContext.SetToken(context, _callers);
        }
    }

    /// <summary>A synchronous delegate has ended when it returns.</summary>
    internal TResult Run(CancellationToken token)
    {
        ValueTask<TResult> running = RunAsync(token);
        return running.IsCompleted ? running.GetAwaiter().GetResult() : running.AsTask().GetAwaiter().GetResult();
    }

    internal Polly.Outcome<TResult> End(in Outcome<TResult> outcome)
    {
        _isOver = true;
        return outcome.HasResult ? Polly.Outcome.FromResult(outcome.Value) : Polly.Outcome.FromException<TResult>(outcome.Exception!);
    }

    internal ValueTask<Polly.Outcome<TResult>> EndAsync(ValueTask<Outcome<TResult>> running) =>
        running.IsCompletedSuccessfully ? new(End(running.Result)) : AwaitAsync(running);

    private async ValueTask<Polly.Outcome<TResult>> AwaitAsync(ValueTask<Outcome<TResult>> running) => End(await running.ConfigureAwait(false));
}
