using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Passes the events of a breaker that was made alone on to the pipelines that use it. Weak: a pipeline that is gone is forgotten.</summary>
internal sealed class CircuitListeners
{
    private WeakReference<PolicyEnvironment>[] _environments = [];

    internal bool HasAny => Volatile.Read(ref _environments).Length > 0;

    internal void Attach(PolicyEnvironment environment)
    {
        if (environment.HasAnyListener) Change(environment, add: true);
    }

    /// <summary>The policy of this environment was left out by an update.</summary>
    internal void Detach(PolicyEnvironment environment) => Change(environment, add: false);

    /// <summary>Leaves out the environment and those that are gone; adds it if asked. So it never stands here twice.</summary>
    private void Change(PolicyEnvironment environment, bool add)
    {
        while (true)
        {
            // Acquire and full fence: an array is never changed after it was published here, and no array is published twice.
            WeakReference<PolicyEnvironment>[] seen = Volatile.Read(ref _environments);
            List<WeakReference<PolicyEnvironment>> next = [.. seen.Where(w => w.TryGetTarget(out PolicyEnvironment? known) && known != environment)];
            if (add) next.Add(new(environment));
            WeakReference<PolicyEnvironment>[] made = next.ToArray();
            if (Interlocked.CompareExchange(ref _environments, made, seen) == seen) return;
        }
    }

    internal void Forward(ResilienceEvent happened)
    {
        if (happened is not CircuitChanged change) return;
        foreach (WeakReference<PolicyEnvironment> weak in Volatile.Read(ref _environments))
        {
            if (weak.TryGetTarget(out PolicyEnvironment? environment))
                environment.Forward(change with { PipelineName = environment.PipelineName, PolicyName = environment.PolicyName });
        }
    }
}
