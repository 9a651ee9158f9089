namespace Resilience.Idempotency;

/// <summary>How an operation ended.</summary>
public enum IdempotencyCompletion
{
    /// <summary>No outcome: the content of <c>default</c>.</summary>
    None = 0,

    /// <summary>Done, with a result (which may be an error that is to be repeated as it is).</summary>
    Completed = 1,

    /// <summary>It may have been done and there is no result: duplicates are told so, and it is not begun again.</summary>
    OutcomeUnknown = 2,
}
