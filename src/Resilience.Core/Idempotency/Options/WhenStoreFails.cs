namespace Resilience.Idempotency;

/// <summary>What happens when the store cannot be asked.</summary>
public enum WhenStoreFails
{
    /// <summary>Nothing is executed.</summary>
    Reject = 0,

    /// <summary>The call runs without protection: a retry of it may do the operation twice. Counted, and told to listeners.</summary>
    RunUnprotected = 1,
}
