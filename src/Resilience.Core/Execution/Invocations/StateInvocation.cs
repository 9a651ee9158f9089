namespace Resilience;

/// <summary>A delegate with state.</summary>
internal readonly struct StateInvocation<TState, T>(Func<TState, CancellationToken, ValueTask<T>> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => callback(state, cancellationToken);
}
