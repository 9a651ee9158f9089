namespace Resilience.Idempotency;

/// <summary>An endpoint whose rows and response are committed together (<c>InTransactionOf</c>) has ended its transaction itself. Whether its rows were
/// committed is not known, so its outcome is recorded as unknown.</summary>
public sealed class TransactionTakenException : InvalidOperationException
{
    /// <summary>Creates the exception.</summary>
    public TransactionTakenException()
        : base(Text)
    {
    }

    /// <summary>Creates the exception.</summary>
    public TransactionTakenException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    internal TransactionTakenException(Exception? innerException)
        : base(Text, innerException)
    {
    }

    private const string Text =
        "The endpoint committed, rolled back or disposed of the transaction that was begun for it. Its outcome is recorded as unknown. "
        + "Leave the transaction alone: it is committed with the record of the response when the endpoint has ended.";
}
