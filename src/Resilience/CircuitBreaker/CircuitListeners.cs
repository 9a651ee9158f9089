namespace Resilience;

/// <summary>Passes the events of a breaker that was made alone on to the pipelines that use it. Weak: a pipeline that is gone is forgotten.</summary>
internal sealed class CircuitListeners
{
    private WeakReference<PolicyEnvironment>[] _environments = [];

    internal void Attach(PolicyEnvironment environment)
    {
        if (!environment.HasAnyListener) return;
        while (true)
        {
            // Acquire and full fence: an array is never changed after it was published here.
            WeakReference<PolicyEnvironment>[] seen = Volatile.Read(ref _environments);
            WeakReference<PolicyEnvironment>[] next = [.. seen.Where(w => w.TryGetTarget(out _)), new(environment)];
            if (Interlocked.CompareExchange(ref _environments, next, seen) == seen) return;
        }
    }

    internal void Forward(ResilienceEvent happened)
    {
        if (happened is not CircuitChanged change) return;
        foreach (WeakReference<PolicyEnvironment> weak in Volatile.Read(ref _environments))
        {
            if (weak.TryGetTarget(out PolicyEnvironment? environment))
                environment.Publish(change with { PipelineName = environment.PipelineName, PolicyName = environment.PolicyName });
        }
    }
}
