namespace Resilience;

/// <summary>Why a concurrency limit rejected a call.</summary>
public enum LimitReason
{
    /// <summary>All places are taken and the queue is full (or there is none).</summary>
    QueueFull = 0,

    /// <summary>The call waited as long as it may and no place became free.</summary>
    WaitedTooLong = 1,
}
