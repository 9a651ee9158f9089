namespace Resilience.Overload;

/// <summary>Why a server rejected a request.</summary>
public enum ShedReason
{
    /// <summary>All places of the limit were taken, and requests do not wait.</summary>
    Limit = 0,

    /// <summary>The queue was full of requests that are as important or more.</summary>
    QueueFull,

    /// <summary>No place became free within the longest wait.</summary>
    WaitedTooLong,

    /// <summary>The queue of its class has not been empty for a while, so only the newest requests are served.</summary>
    Standing,

    /// <summary>A more important request took its place in the queue.</summary>
    Evicted,

    /// <summary>The processors are busy.</summary>
    Cpu,

    /// <summary>Work waits too long for a thread of the pool.</summary>
    ThreadPool,

    /// <summary>Memory is nearly used up.</summary>
    Memory,

    /// <summary>A signal of the application's own.</summary>
    Signal,
}
