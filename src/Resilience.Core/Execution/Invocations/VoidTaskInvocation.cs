namespace Resilience;

/// <summary>A delegate with state and without a result that returns a task.</summary>
internal struct VoidTaskInvocation<TState>(Func<TState, CancellationToken, Task> callback, TState state) : IInvocation<Nothing>
{
    public readonly bool ReturnsTask => true;

    public ValueTask Running { get; private set; }

    public ValueTask<Nothing> Invoke(ResilienceContext context, CancellationToken cancellationToken) =>
        WithoutResult.Of(Running = new(callback(state, cancellationToken) ?? throw WithoutResult.TaskIsMissing()));
}
