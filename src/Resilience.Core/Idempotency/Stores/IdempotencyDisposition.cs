namespace Resilience.Idempotency;

/// <summary>What is done with the key when a call has ended.</summary>
public enum IdempotencyDisposition
{
    /// <summary>The outcome is kept, and duplicates receive it: a result, or an error that is to be repeated as it is.</summary>
    Keep = 0,

    /// <summary>The key is given back: nothing was done, the next may begin at once.</summary>
    Release = 1,

    /// <summary>The key is left to lapse: whether it was done is unknown, and the next begins (as a takeover) when the lease has ended.</summary>
    Hold = 2,

    /// <summary>It is recorded as unknown: duplicates are told so, and it is not begun again.</summary>
    KeepAsOutcomeUnknown = 3,
}
