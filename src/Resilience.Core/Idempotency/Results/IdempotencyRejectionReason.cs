namespace Resilience.Idempotency;

/// <summary>Why a call was not executed, and no outcome could be given instead.</summary>
public enum IdempotencyRejectionReason
{
    /// <summary>The call has no key.</summary>
    KeyMissing = 0,

    /// <summary>The key was used for something else.</summary>
    KeyReused = 1,

    /// <summary>The same call is under way.</summary>
    InFlight = 2,

    /// <summary>It was begun, perhaps done, and its outcome is unknown.</summary>
    OutcomeUnknown = 3,

    /// <summary>It is done, but its result was not kept.</summary>
    ResultNotKept = 4,

    /// <summary>The stored outcome cannot be read.</summary>
    Unreadable = 5,

    /// <summary>The store cannot be asked.</summary>
    StoreUnavailable = 6,

    /// <summary>The claim was lost while the call ran, and it did not complete; another caller is executing it, or did.</summary>
    ClaimLost = 7,

    /// <summary>This process is stopping and begins nothing new.</summary>
    Stopping = 8,
}
