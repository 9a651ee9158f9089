namespace Resilience;

/// <summary>A synchronous delegate without state.</summary>
internal readonly struct SynchronousInvocation<T>(Func<CancellationToken, T> callback) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => new(callback(cancellationToken));
}
