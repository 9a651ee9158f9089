namespace Resilience.Idempotency;

/// <summary>What became of an outcome that was to be recorded.</summary>
public enum IdempotencyFinish
{
    /// <summary>No answer: the content of <c>default</c>.</summary>
    None = 0,

    /// <summary>Recorded.</summary>
    Kept = 1,

    /// <summary>The claim was lost before: another caller may have executed the operation as well, and its outcome counts.</summary>
    Lost = 2,

    /// <summary>The store did not take it in time. The claim is left as it is, and lapses: the operation may be begun again.</summary>
    StoreFailed = 3,

    /// <summary>There was no protection to begin with.</summary>
    Unprotected = 4,
}
