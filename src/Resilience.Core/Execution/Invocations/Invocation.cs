namespace Resilience;

/// <summary>A delegate without state.</summary>
internal readonly struct Invocation<T>(Func<CancellationToken, ValueTask<T>> callback) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => callback(cancellationToken);
}
