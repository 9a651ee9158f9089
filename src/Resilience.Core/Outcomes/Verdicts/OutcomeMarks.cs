namespace Resilience;

/// <summary>What an <see cref="Outcome{T}"/> says beside its verdict. But for the last it is not read before the verdict is a
/// <see cref="Verdict.Failure"/>.</summary>
[Flags]
internal enum OutcomeMarks : byte
{
    /// <summary>A failure counts, may be repeated, and whether anything was done is unknown.</summary>
    None = 0,

    /// <summary>A layer below has spent its budget or its deadline: no retry above repeats it. Travels with a thrown exception.</summary>
    DoNotRetry = 1,

    /// <summary>Says nothing about the health of the dependency.</summary>
    NotCounted = 2,

    /// <summary>Trying again would not help.</summary>
    Permanent = 4,

    /// <summary>It is known that nothing was done.</summary>
    NotApplied = 8,

    /// <summary>When to come back stands in the context of the call.</summary>
    SaysWhen = 16,

    /// <summary>The result belongs to other calls as well, so it is never disposed of. Counts for every verdict.</summary>
    IsShared = 32,

    /// <summary>No rule has spoken of the result yet: one that is awaited may. Stays within the bottom of the chain.</summary>
    Unjudged = 64,

    /// <summary>The dependency has shown that it is overloaded.</summary>
    Overload = 128,
}
