using System.Data;
using System.Data.Common;

namespace Resilience.Idempotency;

/// <summary>Transactions of one request, one after another, on the object that its code works with (a context). Used by one thread at a time.</summary>
public interface ITransactionalScope
{
    /// <summary>The transaction that was begun last.</summary>
    /// <exception cref="InvalidOperationException">None is open.</exception>
    DbTransaction Transaction { get; }

    /// <summary>True when code of the request has ended the transaction, or taken it off the object: what was committed is not known.</summary>
    bool IsTaken { get; }

    /// <summary>Begins a transaction, in which all that the request's code does on the object takes place.</summary>
    /// <param name="isolationLevel">Unspecified: that of the database.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The object has a transaction already.</exception>
    ValueTask BeginAsync(IsolationLevel isolationLevel, CancellationToken cancellationToken);

    /// <summary>Commits it. The caller of the request may have left: nothing cancels a commit, because that would leave it in doubt.</summary>
    ValueTask CommitAsync();

    /// <summary>Rolls back what is open, or lets go of what has ended or is broken. Never throws: a transaction whose COMMIT was not sent is never
    /// committed.</summary>
    ValueTask EndAsync();

    /// <summary>Lets the object forget what it has read, and what was to be written, before the request's code runs again.</summary>
    void Forget();

    /// <summary>What an exception says of the transaction.</summary>
    TransactionFault Judge(Exception error);
}
