namespace Resilience.Idempotency;

/// <summary>What an exception says of the transaction in which it was thrown.</summary>
public enum TransactionFault
{
    /// <summary>Nothing: it comes from elsewhere.</summary>
    None = 0,

    /// <summary>It comes from the database of the transaction, or from the connection to it.</summary>
    Database = 1,

    /// <summary>The transaction lost against another one (a serialization failure, a deadlock, a database that is busy) and was certainly rolled back; it may
    /// succeed if it is begun anew.</summary>
    Conflict = 2,
}
