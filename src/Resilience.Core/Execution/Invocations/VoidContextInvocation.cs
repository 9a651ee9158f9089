namespace Resilience;

/// <summary>A delegate that sees the context and has no result.</summary>
internal struct VoidContextInvocation<TState>(Func<ResilienceContext, TState, ValueTask> callback, TState state) : IInvocation<Nothing>
{
    public readonly bool ReturnsTask => false;

    public ValueTask Running { get; private set; }

    public ValueTask<Nothing> Invoke(ResilienceContext context, CancellationToken cancellationToken) => WithoutResult.Of(Running = callback(context, state));
}
