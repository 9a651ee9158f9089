using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>A synchronous transaction.</summary>
internal sealed class SynchronousTransaction<TContext, TResult>(
    TContext context, Func<TContext, TResult> operation, Func<TContext, bool>? verifySucceeded, IsolationLevel isolationLevel)
    : TransactionCall<TContext, TResult>(context, isolationLevel)
    where TContext : DbContext
{
    internal TResult Run(IExecutionStrategy strategy)
    {
        RequireNoChanges(Context, "InTransaction");
        return strategy.Execute(
            this,
            static (_, call) => call.Attempt(),
            verifySucceeded is null ? null : static (_, call) => call.Answer(call.Verify()));
    }

    private TResult Attempt()
    {
        Begin();
        using IDbContextTransaction transaction = Context.Database.BeginTransaction(IsolationLevel);
        TResult result = Ended(operation(Context));
        transaction.Commit();
        return result;
    }

    private bool Verify() => verifySucceeded!(Context);
}
