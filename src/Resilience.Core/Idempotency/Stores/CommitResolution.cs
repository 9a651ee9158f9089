namespace Resilience.Idempotency;

/// <summary>What became of a commit whose acknowledgement was lost.</summary>
public enum CommitResolution
{
    /// <summary>Not known: the database is away, or the transaction is still open.</summary>
    Unknown = 0,

    /// <summary>Committed: the rows and the record are there.</summary>
    Committed = 1,

    /// <summary>Rolled back: neither is there, or another claim took the place of this one.</summary>
    RolledBack = 2,
}
