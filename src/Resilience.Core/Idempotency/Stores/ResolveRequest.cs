namespace Resilience.Idempotency;

/// <summary>A decision about a record whose outcome is unknown.</summary>
public readonly record struct ResolveRequest
{
    /// <summary>The record.</summary>
    public required IdempotencyId Id { get; init; }

    /// <summary>Names this decision: who sends it again with the same nonce, because the reply was lost, hears the same. Never empty.</summary>
    public required Guid Nonce { get; init; }

    /// <summary><see cref="IdempotencyCompletion.None"/>: nothing was done, the record is given back. Completed: it was done, duplicates receive the
    /// payload. OutcomeUnknown: it stays unknown, and it is not begun again.</summary>
    public required IdempotencyCompletion Completion { get; init; }

    /// <summary>The fence of the record that was looked at; with another one nothing is changed. 0: whatever is there.</summary>
    public long Fence { get; init; }

    /// <summary>What duplicates receive; empty when the record is given back. The store copies it if it needs it after the call.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>How long the decision is kept, from now: a microsecond to ten years. Not used when the record is given back.</summary>
    public TimeSpan Retention { get; init; }
}
