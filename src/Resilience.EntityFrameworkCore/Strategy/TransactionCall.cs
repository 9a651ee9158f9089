using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>What a transaction with all its attempts has in common.</summary>
internal abstract class TransactionCall<TContext, TResult>(TContext context, IsolationLevel isolationLevel) : IRepeatableOperation
    where TContext : DbContext
{
    private bool _hasBegun;
    private TResult? _last; // of the attempt whose COMMIT is about to be sent
    private TResult? _kept;

    public bool IsRepeatable { get; init; }

    public DbContext? Forgets => context;

    public void KeepResult() => _kept = _last;

    private protected TContext Context => context;

    private protected IsolationLevel IsolationLevel => isolationLevel;

    /// <summary>Begins an attempt. What an attempt before it has put into the context was rolled back with it.</summary>
    private protected void Begin()
    {
        if (_hasBegun) context.ChangeTracker.Clear();
        _hasBegun = true;
        _last = default;
    }

    private protected TResult Ended(TResult result) => _last = result;

    private protected ExecutionResult<TResult> Answer(bool wasApplied) => new(wasApplied, _kept!);

    /// <summary>Changes that were made before would be in the first attempt and in no other.</summary>
    private protected static void RequireNoChanges(TContext context, string method)
    {
        if (!context.ChangeTracker.HasChanges()) return;
        throw new InvalidOperationException(
            $"The context has changes that were made outside of {method}, and a repeat would lose them. Make them inside, or save them before.");
    }
}

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
