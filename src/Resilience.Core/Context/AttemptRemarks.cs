namespace Resilience;

/// <summary>Remarks on the attempt under way, beside the objection to a repeat.</summary>
[Flags]
internal enum AttemptRemarks : byte
{
    None = 0,

    /// <summary>The objection counts only if something may have been done.</summary>
    ObjectionYields = 1,

    /// <summary>Nothing was done.</summary>
    NotApplied = 2,

    /// <summary>When the attempt began is known.</summary>
    HasBegun = 4,

    /// <summary>The call around this one is known from the thread, and the token says the same.</summary>
    KnowsAround = 8,

    /// <summary>The call has a span that is sampled.</summary>
    IsTraced = 16,

    /// <summary>The caller's thread waits for the call, and makes it.</summary>
    IsSynchronous = 32,

    /// <summary>What does not end with the attempt.</summary>
    OfCall = HasBegun | KnowsAround | IsTraced | IsSynchronous,
}
