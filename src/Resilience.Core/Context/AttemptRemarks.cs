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

    /// <summary>That the caller's deadline has passed speaks against the dependency.</summary>
    DeadlineCounts = 64,

    /// <summary>Neither this call nor one around it may repeat it.</summary>
    IsFinal = 128,

    /// <summary>What does not end with the attempt.</summary>
    OfCall = HasBegun | KnowsAround | IsTraced | IsSynchronous | DeadlineCounts,

    /// <summary>What becomes a mark of the outcome.</summary>
    OfOutcome = NotApplied | IsFinal,
}

/// <summary>Remarks that become marks of the outcome.</summary>
internal static class AttemptReport
{
    /// <summary>Those of an attempt that has ended; they are asked for once.</summary>
    internal static OutcomeMarks Take(ref AttemptRemarks remarks)
    {
        AttemptRemarks seen = remarks & AttemptRemarks.OfOutcome;
        if (seen == 0) return OutcomeMarks.None;
        remarks &= ~seen;
        return ((seen & AttemptRemarks.NotApplied) != 0 ? OutcomeMarks.NotApplied : OutcomeMarks.None)
            | ((seen & AttemptRemarks.IsFinal) != 0 ? OutcomeMarks.DoNotRetry : OutcomeMarks.None);
    }
}
