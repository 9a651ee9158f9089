namespace Resilience.Idempotency;

/// <summary>What happens to a call that has no key.</summary>
public enum WhenKeyIsMissing
{
    /// <summary>It is rejected.</summary>
    Reject = 0,

    /// <summary>It runs like any other call, without protection.</summary>
    RunUnprotected = 1,
}
