namespace Resilience;

/// <summary>A synchronous delegate with state.</summary>
internal readonly struct SynchronousStateInvocation<TState, T>(Func<TState, CancellationToken, T> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => new(callback(state, cancellationToken));
}
