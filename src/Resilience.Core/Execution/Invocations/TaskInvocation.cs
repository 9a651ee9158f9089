namespace Resilience;

/// <summary>A delegate without state that returns a task.</summary>
internal readonly struct TaskInvocation<T>(Func<CancellationToken, Task<T>> callback) : IInvocation<T>
{
    public bool ReturnsTask => true;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) =>
        new(callback(cancellationToken) ?? throw WithoutResult.TaskIsMissing());
}
