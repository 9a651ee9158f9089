namespace Resilience.Idempotency;

/// <summary>What became of a message.</summary>
public enum MessageResult
{
    /// <summary>It was processed now: acknowledge it.</summary>
    Processed = 0,

    /// <summary>It was processed before: acknowledge it.</summary>
    SeenBefore = 1,

    /// <summary>Another consumer is at it, or this process is stopping: let it be delivered again later.</summary>
    InFlight = 2,

    /// <summary>It was begun, perhaps processed, and its outcome is unknown; or what is stored about it cannot be read; or its key was
    /// used for another message. It will not be begun again: set it aside for a person.</summary>
    OutcomeUnknown = 3,

    /// <summary>It was begun <see cref="IdempotencyOptions.MaxAttempts"/> times and failed or ended its process each time. It will not be begun again:
    /// move it to the dead letters.</summary>
    Poison = 4,
}
