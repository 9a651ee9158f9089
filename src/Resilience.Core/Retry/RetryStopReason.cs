namespace Resilience.Events;

/// <summary>Why a failure was not repeated.</summary>
public enum RetryStopReason
{
    /// <summary>The retries of the options, or of the rule that matched, are used up.</summary>
    Attempts = 0,

    /// <summary><see cref="RetryOptions.ShouldRetry"/> or <see cref="ResilienceContext.ForbidRetry"/> said no.</summary>
    NotAllowed,

    /// <summary>A layer below had given up and asked for no retry.</summary>
    Marked,

    /// <summary>The wait would not end before the deadline of the call.</summary>
    Deadline,

    /// <summary>The budget is spent.</summary>
    Budget,

    /// <summary>The wait that was asked for is longer than <see cref="RetryOptions.MaxRetryAfter"/>.</summary>
    RetryAfter,

    /// <summary>The classifier said that trying again would not help (<see cref="Classification.MayRepeat"/>).</summary>
    Permanent,
}
