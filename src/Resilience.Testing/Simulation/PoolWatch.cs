using System.Diagnostics.Tracing;

namespace Resilience.Testing;

/// <summary>Tells simulations of their code that leaves their thread: when it is queued in the thread pool, and when it comes to another thread and
/// goes.</summary>
/// <remarks>The runtime says of each item that is queued, on the thread that queues it, to the listeners of its events. Whose it is says the execution
/// context.</remarks>
internal sealed class PoolWatch : EventListener
{
    private const string Source = "System.Diagnostics.Eventing.FrameworkEventSource";
    private const EventKeywords ThreadPoolKeyword = (EventKeywords)2;
    private const int EnqueueWork = 30;

    private static readonly AsyncLocal<PoolRest?> Current = new(Moved);
    private static readonly Lock Gate = new(); // guards the listener and its users; creating one calls into the runtime only
    private static PoolWatch? Listener;
    private static int Users;

    [ThreadStatic]
    private static bool IsTrying;

    [ThreadStatic]
    private static bool HasHeard;

    private PoolWatch()
    {
    }

    /// <summary>The simulation whose code runs here.</summary>
    internal static PoolRest? Here
    {
        get => Current.Value;
        set => Current.Value = value;
    }

    /// <summary>Listens until as often ended. It costs the process about a microsecond for each item that is queued meanwhile.</summary>
    internal static void Begin()
    {
        lock (Gate)
        {
            if (Users++ == 0) Listener = new();
        }
    }

    internal static void End()
    {
        lock (Gate)
        {
            if (--Users > 0) return;
            Listener!.Dispose();
            Listener = null;
        }
    }

    /// <summary>Queues nothing much and says whether that was heard: not where the program was built without events, and not before this worker of the pool
    /// knows
    /// of the listener.</summary>
    internal static bool Hears()
    {
        (IsTrying, HasHeard) = (true, false);
        ThreadPool.UnsafeQueueUserWorkItem(static _ => { }, 0, preferLocal: true);
        IsTrying = false;
        return HasHeard;
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        ArgumentNullException.ThrowIfNull(eventSource);
        if (eventSource.Name == Source) EnableEvents(eventSource, EventLevel.Verbose, ThreadPoolKeyword);
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        ArgumentNullException.ThrowIfNull(eventData);
        if (eventData.EventId != EnqueueWork) return;
        if (IsTrying) HasHeard = true;
        else Current.Value?.Leaves();
    }

    private static void Moved(AsyncLocalValueChangedArgs<PoolRest?> change)
    {
        if (!change.ThreadContextChanged || ReferenceEquals(change.PreviousValue, change.CurrentValue)) return;
        change.PreviousValue?.Moved(comes: false);
        change.CurrentValue?.Moved(comes: true);
    }
}
