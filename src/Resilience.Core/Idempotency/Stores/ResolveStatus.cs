namespace Resilience.Idempotency;

/// <summary>What became of a decision about a record.</summary>
public enum ResolveStatus
{
    /// <summary>No answer: the content of <c>default</c>.</summary>
    None = 0,

    /// <summary>The record is as it was decided, now or by the same decision before.</summary>
    Resolved = 1,

    /// <summary>There is no record, or it has expired or was given back: nothing is in doubt.</summary>
    Absent = 2,

    /// <summary>A live claim, or an open transaction, has the record. Look again when its lease has ended.</summary>
    InFlight = 3,

    /// <summary>There is a result, which is never changed.</summary>
    Completed = 4,

    /// <summary>The record has another fence than the one that was looked at: look again.</summary>
    Changed = 5,
}
