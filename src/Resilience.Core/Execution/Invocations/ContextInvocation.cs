namespace Resilience;

/// <summary>A delegate that sees the context.</summary>
internal readonly struct ContextInvocation<TState, T>(Func<ResilienceContext, TState, ValueTask<T>> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => callback(context, state);
}
