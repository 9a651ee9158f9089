namespace Resilience.Overload;

/// <summary>Why an <see cref="AdaptiveConcurrencyLimit"/> rejected a call.</summary>
public enum AdaptiveLimitReason
{
    /// <summary>As many calls run as may, or as calls of this class may, and the call does not wait.</summary>
    NoPlace = 0,

    /// <summary>As many calls wait as may, none of them of a lower class.</summary>
    QueueFull = 1,

    /// <summary>The call waited as long as it may, or had no time to wait, and no place became free.</summary>
    WaitedTooLong = 2,

    /// <summary>The queue of its class was not empty for <see cref="AdaptiveConcurrencyLimitOptions.StandingAfter"/>, and the call had waited longer than
    /// <see cref="AdaptiveConcurrencyLimitOptions.StandingWait"/> when its turn came: the newest are served then.</summary>
    Standing = 3,

    /// <summary>The call waited, the queue was full, and a call of a higher class took its place.</summary>
    Evicted = 4,
}
