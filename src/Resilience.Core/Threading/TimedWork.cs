namespace Resilience;

/// <summary>Something that is to happen at a moment. It may run code of users, so it delays nothing else: see <see cref="Dispatcher"/>.</summary>
internal abstract class TimedWork : IThreadPoolWorkItem
{
    /// <summary>Its place in the heap of the dispatcher; -1 when it is not in it. Guarded by the dispatcher's gate, as is the next.</summary>
    internal int HeapIndex { get; set; } = -1;

    internal long HeapDueMs { get; set; }

    /// <summary>Called once when the entry is due, under the dispatcher's gate: runs no code of users and does not wait. False when it has been withdrawn
    /// meanwhile.</summary>
    internal abstract bool TryFire(long nowMs);

    /// <summary>Does what is due. May run code of users; what that throws has been counted already, and if not, the dispatcher counts it.</summary>
    public abstract void Execute();
}
