using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>What becomes of the next COMMITs, in order: the connection is lost before or after the database has done it, or it answers with an error.</summary>
internal sealed class CommitFault(params CommitFault.Kind[] faults) : DbTransactionInterceptor
{
    private readonly Queue<Kind> _faults = new(faults);

    internal enum Kind
    {
        None, LostBefore, LostAfter, Conflict,
    }

    internal int Commits { get; private set; }

    /// <summary>What a conflict throws.</summary>
    internal Exception ConflictError { get; init; } = new DatabaseError("40001");

    public override InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
    {
        Commits++;
        switch (_faults.TryDequeue(out Kind fault) ? fault : Kind.None)
        {
            case Kind.LostBefore:
                transaction.Rollback();
                throw DatabaseError.Lost();
            case Kind.LostAfter:
                transaction.Commit();
                throw DatabaseError.Lost();
            case Kind.Conflict:
                transaction.Rollback();
                throw ConflictError;
            default:
                return result;
        }
    }

    public override ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        new(TransactionCommitting(transaction, eventData, result));
}
