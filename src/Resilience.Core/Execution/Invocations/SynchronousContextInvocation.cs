namespace Resilience;

/// <summary>A synchronous delegate that sees the context.</summary>
internal readonly struct SynchronousContextInvocation<TState, T>(Func<ResilienceContext, TState, T> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => new(callback(context, state));
}
