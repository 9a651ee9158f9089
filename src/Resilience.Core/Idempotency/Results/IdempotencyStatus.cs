namespace Resilience.Idempotency;

/// <summary>What came of asking to begin an operation.</summary>
public enum IdempotencyStatus
{
    /// <summary>No answer: the content of <c>default</c>.</summary>
    None = 0,

    /// <summary>It is the caller's to do: see <see cref="IdempotencyResult.Claim"/>.</summary>
    Claimed = 1,

    /// <summary>It was done before: see <see cref="IdempotencyResult.Kind"/> and <see cref="IdempotencyResult.Content"/>.</summary>
    Replayed = 2,

    /// <summary>Another caller is executing it.</summary>
    InFlight = 3,

    /// <summary>The key was used to ask for something else.</summary>
    KeyReused = 4,

    /// <summary>It was begun, perhaps done, and no result is known. It is not begun again.</summary>
    OutcomeUnknown = 5,

    /// <summary>What is stored cannot be read: damaged, or written by a newer version. It is not begun again.</summary>
    Unreadable = 6,

    /// <summary>The store cannot be asked.</summary>
    StoreUnavailable = 7,

    /// <summary>The store cannot be asked, and the options allow to go on without it: the claim protects nothing.</summary>
    Unprotected = 8,

    /// <summary>This process is stopping and begins nothing new, and there is no outcome yet: ask another one.</summary>
    Stopping = 9,
}
