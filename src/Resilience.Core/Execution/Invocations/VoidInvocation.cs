namespace Resilience;

/// <summary>A delegate with state and without a result.</summary>
internal struct VoidInvocation<TState>(Func<TState, CancellationToken, ValueTask> callback, TState state) : IInvocation<Nothing>
{
    public readonly bool ReturnsTask => false;

    public ValueTask Running { get; private set; }

    public ValueTask<Nothing> Invoke(ResilienceContext context, CancellationToken cancellationToken) =>
        WithoutResult.Of(Running = callback(state, cancellationToken));
}
