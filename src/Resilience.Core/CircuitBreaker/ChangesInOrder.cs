using System.Collections.Concurrent;
using Resilience.Events;

namespace Resilience;

/// <summary>Changes of a circuit on their way to a listener that is awaited: in order, one at a time, on threads that no call needs. Thread-safe.</summary>
internal sealed class ChangesInOrder(Clock clock) : IThreadPoolWorkItem
{
    private readonly ConcurrentQueue<(CircuitChanged Change, Func<CircuitChanged, ValueTask> Listener)> _waiting = [];
    private int _count; // with the one that is being told

    internal void Add(CircuitChanged change, Func<CircuitChanged, ValueTask> listener)
    {
        _waiting.Enqueue((change, listener));

        // Full fence: what is counted is in the queue. The first of a row begins the telling, which goes on until none is left.
        if (Interlocked.Increment(ref _count) == 1) clock.Hop(this);
    }

    public void Execute() => _ = TellAsync();

    private async Task TellAsync()
    {
        do
        {
            if (!_waiting.TryDequeue(out (CircuitChanged Change, Func<CircuitChanged, ValueTask> Listener) next)) return;
            try
            {
                await next.Listener(next.Change).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                Safely.Report("circuit listener", error);
            }
        }
        while (Interlocked.Decrement(ref _count) > 0);
    }
}
