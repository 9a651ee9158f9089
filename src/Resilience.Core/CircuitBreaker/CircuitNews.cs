using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What the listeners of a breaker have heard of. Part of the breaker: a field that is never copied.</summary>
/// <param name="first">The epoch in which the breaker begins, of which nothing is told.</param>
internal struct CircuitNews(CircuitEpoch first)
{
    private CircuitEpoch _told = first; // the last epoch whose beginning the listeners have heard of; changed by the deliverer only
    private int _delivering; // 1 while a thread delivers
    private ChangesInOrder? _later; // for the listener that is awaited; used by the deliverer only

    /// <summary>Tells of each change once and in order, one thread at a time, outside of every loop that changes something.</summary>
    /// <remarks>
    /// The epochs are linked in their order, so there is nothing to queue: the deliverer walks from the last epoch told of to the
    /// newest. A thread that finds another delivering leaves its event to that one, which looks once more after it has
    /// stepped down. A listener may use the breaker, even change it: its change is delivered after it returns.
    /// </remarks>
    internal void Deliver(CircuitBreaker breaker)
    {
        while (Interlocked.CompareExchange(ref _delivering, 1, 0) == 0)
        {
            CircuitEpoch told = _told;
            while (Volatile.Read(ref told.Successor) is { } next)
            {
                _told = next;
                told.Successor = null; // only the deliverer walks this way: a call that hangs keeps its own epoch alive, not all that follow

                // Closing what is closed changes no state.
                if (told.State != CircuitState.Closed || next.State != CircuitState.Closed) Tell(breaker, told, next);
                told = next;
            }

            // Full fence between stepping down and looking again: pairs with the write of Successor followed by the
            // compare-and-swap above. Either we see the new successor, or its thread sees that no thread delivers.
            Interlocked.Exchange(ref _delivering, 0);
            if (Volatile.Read(ref told.Successor) is null) return;
        }
    }

    /// <summary>Tells metrics, spans and listeners of one change.</summary>
    private void Tell(CircuitBreaker breaker, CircuitEpoch from, CircuitEpoch to)
    {
        PolicyEnvironment environment = breaker.Environment;
        BreakerSettings settings = breaker.Settings;
        bool isObserved = environment.HasAnyListener || environment.IsObserved(CircuitChanged.Metric);
        if (settings.OnChange is null && settings.OnChangeAsync is null && !isObserved) return;

        TimeSpan? breakDuration = to.State == CircuitState.Open ? TimeSpan.FromMilliseconds(to.UntilMs - to.SinceMs) : null;
        CircuitChanged change = new(environment.PipelineName, breaker.Name, from.State, to.State, to.Epoch, to.Cause, breakDuration)
        {
            Key = breaker.Key,
            LastException = to.State == CircuitState.Open ? CircuitChanged.ExceptionOf(from.LastFailure) : null,
            LastResult = to.State == CircuitState.Open ? from.LastFailure as string : null,
        };
        try
        {
            settings.OnChange?.Invoke(change);
        }
        catch (Exception error)
        {
            Safely.Report("circuit listener", error);
        }

        if (settings.OnChangeAsync is { } listener) (_later ??= new(environment.Clock)).Add(change, listener);
        environment.Report(change);
    }
}
