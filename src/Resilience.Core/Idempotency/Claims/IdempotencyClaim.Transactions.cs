using System.Data.Common;

namespace Resilience.Idempotency;

/// <content>The transaction that an operation writes its rows in.</content>
public sealed partial class IdempotencyClaim
{
    /// <summary>The transaction that the rows of this operation are written in, in which its record will be completed: for a second context, or for code
    /// without one. Do not end it. Null when there is none.</summary>
    public DbTransaction? Transaction => Volatile.Read(ref _rare)?.Transaction;

    /// <summary>Says that the rows of this operation are written in this transaction from here on, and that <see cref="CompleteInAsync"/> will complete it
    /// there. Without it all works as well, but for stores whose renewals would wait for the transaction. Say it once for each transaction, when it has
    /// begun.</summary>
    /// <param name="transaction">An open transaction on the database of the store.</param>
    /// <param name="cancellationToken">Ends the wait; roll back then.</param>
    /// <exception cref="ArgumentNullException"><paramref name="transaction"/> is null.</exception>
    /// <exception cref="ArgumentException">The transaction is one of another provider.</exception>
    /// <exception cref="NotSupportedException">The store has no transactions.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked: roll back.</exception>
    public async ValueTask EnterTransactionAsync(DbTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        if (IsProtected) await _owner.EnterTransactionAsync(this, transaction, cancellationToken).ConfigureAwait(false);
        Rare.Transaction = transaction;
    }

    /// <summary>Says that the transaction of <see cref="CompleteInAsync"/> was rolled back: the claim is open again, and its lease is renewed. End it, or do
    /// the operation again in another transaction.</summary>
    /// <exception cref="InvalidOperationException">The claim was not completed in a transaction, or its end was told before.</exception>
    public void RolledBack()
    {
        if (Interlocked.CompareExchange(ref _ended, Open, InTransaction) != InTransaction) throw NoTransaction();
        _owner.TakeBack(this);
    }
}
