namespace Resilience.Idempotency;

/// <summary>How the transaction of an endpoint ended, and with it what its caller is told.</summary>
internal enum TransactionEnd
{
    /// <summary>The response of the endpoint is sent: it is recorded, or its key was given back or held.</summary>
    Sent,

    /// <summary>The transaction lost against another one and was rolled back: the endpoint may run again.</summary>
    Conflict,

    /// <summary>It was rolled back: the caller may repeat.</summary>
    NotCommitted,

    /// <summary>COMMIT was sent, and the database does not say what became of it.</summary>
    Pending,

    /// <summary>Another caller took the place of this one and was first: its response is sent.</summary>
    Replaced,
}
