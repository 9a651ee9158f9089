namespace Resilience;

/// <summary>A delegate that runs where the caller was when the call began, on whatever thread its attempt begins.</summary>
internal readonly struct CapturedInvocation<TInvocation, T>(TInvocation invocation, CallersContext where) : IInvocation<T>
    where TInvocation : struct, IInvocation<T>
{
    public bool ReturnsTask => invocation.ReturnsTask;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken)
    {
        if (where.IsCurrent) return invocation.Invoke(context, cancellationToken);
        TInvocation copy = invocation;
        return new(where.RunAsync(() => copy.Invoke(context, cancellationToken).AsTask(), cancellationToken));
    }
}

/// <summary>A delegate without a result as one with a result: where it runs later, there is no result to look at meanwhile.</summary>
internal static class CapturedWithoutResult
{
    internal static async ValueTask<bool> RunAsync<TState>(
        ResilienceContext context, (Func<ResilienceContext, TState, ValueTask> Callback, TState State) call)
    {
        await call.Callback(context, call.State).ConfigureAwait(false);
        return true;
    }
}
