namespace Resilience;

/// <summary>A delegate with state that returns a task.</summary>
internal readonly struct TaskStateInvocation<TState, T>(Func<TState, CancellationToken, Task<T>> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => true;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) =>
        new(callback(state, cancellationToken) ?? throw WithoutResult.TaskIsMissing());
}
