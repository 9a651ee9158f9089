namespace Resilience;

/// <summary>A synchronous delegate with state and without a result.</summary>
internal readonly struct SynchronousVoidInvocation<TState>(Action<TState, CancellationToken> callback, TState state) : IInvocation<Nothing>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<Nothing> Invoke(ResilienceContext context, CancellationToken cancellationToken)
    {
        callback(state, cancellationToken);
        return default;
    }
}
