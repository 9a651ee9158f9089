using System.Data.Common;

namespace Resilience.Idempotency;

/// <summary>A store whose records lie in a database, so that a record can be committed together with the rows of the operation. Thread-safe; a
/// transaction is not.</summary>
public interface ITransactionalIdempotencyStore : IIdempotencyStore
{
    /// <summary>Claims inside a transaction of the caller: the claim counts when the transaction is committed, and never was if it is rolled back.
    /// While a transaction holds the id, others are told <see cref="AcquireStatus.InFlight"/>.</summary>
    /// <param name="transaction">An open transaction on a connection to the database of the store.</param>
    /// <param name="request">What to claim.</param>
    /// <param name="cancellationToken">Ends the wait; the transaction may be unusable afterwards.</param>
    /// <exception cref="ArgumentException">The request makes no sense, or the transaction is one of another provider.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    ValueTask<AcquireResult> TryAcquireAsync(DbTransaction transaction, AcquireRequest request, CancellationToken cancellationToken = default);

    /// <summary>Keeps how the operation ended inside a transaction of the caller; make it the last statement before the commit.</summary>
    /// <param name="transaction">An open transaction on a connection to the database of the store.</param>
    /// <param name="id">The id.</param>
    /// <param name="fence">The fence of the claim.</param>
    /// <param name="completion">How it ended.</param>
    /// <param name="payload">What duplicates will receive.</param>
    /// <param name="retention">How long to keep it.</param>
    /// <param name="cancellationToken">Ends the wait; the transaction may be unusable afterwards.</param>
    /// <returns>False when the claim is lost: roll back.</returns>
    /// <exception cref="ArgumentException">An argument makes no sense, or the transaction is one of another provider.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked.</exception>
    ValueTask<bool> CompleteAsync(
        DbTransaction transaction,
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default);

    /// <summary>Says that the rows of an operation whose claim was granted before are written in this transaction, which will complete it. A store whose
    /// renewals would wait for the transaction, or whose transactions fail on a row that was renewed meanwhile, holds the record by the transaction from here
    /// on. Default: nothing is done.</summary>
    /// <param name="transaction">An open transaction on a connection to the database of the store.</param>
    /// <param name="id">The id of the claim.</param>
    /// <param name="cancellationToken">Ends the wait; roll back then.</param>
    /// <exception cref="ArgumentException">The transaction is one of another provider.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked: roll back.</exception>
    ValueTask EnterAsync(DbTransaction transaction, IdempotencyId id, CancellationToken cancellationToken = default) => default;

    /// <summary>After the acknowledgement of a commit was lost: was it committed? Waits for the transaction that is in doubt, because a look while it
    /// is committing shows the state before.</summary>
    /// <param name="id">The id that the transaction completed.</param>
    /// <param name="nonce">The nonce of the claim.</param>
    /// <param name="wait">How long to wait, a microsecond to a day.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What is certain. Never an exception for a store that is away: that is <see cref="CommitResolution.Unknown"/>.</returns>
    ValueTask<CommitResolution> ResolveAsync(IdempotencyId id, Guid nonce, TimeSpan wait, CancellationToken cancellationToken = default);
}
