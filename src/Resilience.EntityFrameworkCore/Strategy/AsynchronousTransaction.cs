using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>An asynchronous transaction.</summary>
internal sealed class AsynchronousTransaction<TContext, TResult>(
    TContext context,
    Func<TContext, CancellationToken, Task<TResult>> operation,
    Func<TContext, CancellationToken, Task<bool>>? verifySucceeded,
    IsolationLevel isolationLevel) : TransactionCall<TContext, TResult>(context, isolationLevel)
    where TContext : DbContext
{
    internal Task<TResult> RunAsync(IExecutionStrategy strategy, CancellationToken cancellationToken)
    {
        RequireNoChanges(Context, "InTransactionAsync");
        return strategy.ExecuteAsync(
            this,
            static (_, call, token) => call.AttemptAsync(token),
            verifySucceeded is null ? null : static async (_, call, token) => call.Answer(await call.VerifyAsync(token).ConfigureAwait(false)),
            cancellationToken);
    }

    private async Task<TResult> AttemptAsync(CancellationToken token)
    {
        Begin();
        IDbContextTransaction transaction = await Context.Database.BeginTransactionAsync(IsolationLevel, token).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            TResult result = Ended(await operation(Context, token).ConfigureAwait(false));
            await transaction.CommitAsync(token).ConfigureAwait(false);
            return result;
        }
    }

    private Task<bool> VerifyAsync(CancellationToken token) => verifySucceeded!(Context, token);
}
