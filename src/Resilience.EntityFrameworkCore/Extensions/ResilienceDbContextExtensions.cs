using System.Data;
using Microsoft.EntityFrameworkCore.Storage;
using Resilience.EntityFrameworkCore;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Operations of contexts that have resilience.</summary>
public static class ResilienceDbContextExtensions
{
    /// <summary>Runs code in a transaction that is repeated as a whole: begin, the code, COMMIT. Before each repeat the context forgets its entities
    /// (<c>ChangeTracker.Clear()</c>), so the code reads what it changes.</summary>
    /// <remarks>
    /// It is repeated while it is known that nothing was committed. When COMMIT was sent and its answer did not come, <paramref name="verifySucceeded"/>
    /// is asked, on a new connection where the old one is lost. Let it look for a row whose key is unique and was chosen before the call: if the
    /// first COMMIT is still under way when it looks, the repeat runs into the key, and it is asked once more. Inside of another such operation the code
    /// runs in the transaction that is there.
    /// </remarks>
    /// <param name="context">The context. It must have no changes that were not saved.</param>
    /// <param name="operation">The code. Everything that it does outside of the database is repeated too.</param>
    /// <param name="verifySucceeded">Whether the transaction was committed after all. Default null: then an unknown outcome is not repeated, and the
    /// exception tells it (<see cref="DatabaseResilience.OutcomeKey"/>).</param>
    /// <param name="isolationLevel">Of the transaction. Default: the database's.</param>
    /// <param name="isRepeatable">Whether the transaction may be committed twice without harm, because it has a record of its idempotency key in it, or
    /// overwrites what it wrote. Then an unknown outcome is repeated. Default false.</param>
    /// <param name="cancellationToken">Cancels the operation and every wait.</param>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> or <paramref name="operation"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The context has no resilience, has changes that were not saved, or a transaction of the caller.</exception>
    public static Task<TResult> InTransactionAsync<TContext, TResult>(
        this TContext context,
        Func<TContext, CancellationToken, Task<TResult>> operation,
        Func<TContext, CancellationToken, Task<bool>>? verifySucceeded = null,
        IsolationLevel isolationLevel = IsolationLevel.Unspecified,
        bool isRepeatable = false,
        CancellationToken cancellationToken = default)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(operation);
        ResilienceExecutionStrategy strategy = StrategyOf(context);
        return IsInside(context)
            ? operation(context, cancellationToken)
            : new AsynchronousTransaction<TContext, TResult>(context, operation, verifySucceeded, isolationLevel) { IsRepeatable = isRepeatable }
                .RunAsync(strategy, cancellationToken);
    }

    /// <inheritdoc cref="InTransactionAsync{TContext, TResult}"/>
    public static Task InTransactionAsync<TContext>(
        this TContext context,
        Func<TContext, CancellationToken, Task> operation,
        Func<TContext, CancellationToken, Task<bool>>? verifySucceeded = null,
        IsolationLevel isolationLevel = IsolationLevel.Unspecified,
        bool isRepeatable = false,
        CancellationToken cancellationToken = default)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(operation);
        return context.InTransactionAsync(
            async (db, token) =>
            {
                await operation(db, token).ConfigureAwait(false);
                return true;
            },
            verifySucceeded,
            isolationLevel,
            isRepeatable,
            cancellationToken);
    }

    /// <inheritdoc cref="InTransactionAsync{TContext, TResult}"/>
    public static TResult InTransaction<TContext, TResult>(
        this TContext context,
        Func<TContext, TResult> operation,
        Func<TContext, bool>? verifySucceeded = null,
        IsolationLevel isolationLevel = IsolationLevel.Unspecified,
        bool isRepeatable = false)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(operation);
        ResilienceExecutionStrategy strategy = StrategyOf(context);
        return IsInside(context)
            ? operation(context)
            : new SynchronousTransaction<TContext, TResult>(context, operation, verifySucceeded, isolationLevel) { IsRepeatable = isRepeatable }.Run(strategy);
    }

    /// <inheritdoc cref="InTransactionAsync{TContext, TResult}"/>
    public static void InTransaction<TContext>(
        this TContext context,
        Action<TContext> operation,
        Func<TContext, bool>? verifySucceeded = null,
        IsolationLevel isolationLevel = IsolationLevel.Unspecified,
        bool isRepeatable = false)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(operation);
        context.InTransaction(
            db =>
            {
                operation(db);
                return true;
            },
            verifySucceeded,
            isolationLevel,
            isRepeatable);
    }

    /// <summary>Runs code of which you say that it may be done twice without harm: it is repeated also where its outcome is unknown. For
    /// <c>ExecuteUpdate</c>, raw SQL and procedures outside of a transaction, which are not repeated otherwise once they were sent.</summary>
    /// <param name="context">The context.</param>
    /// <param name="operation">The code.</param>
    /// <param name="cancellationToken">Cancels the operation and every wait.</param>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> or <paramref name="operation"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The context has no resilience, or a transaction that the caller began.</exception>
    public static Task<TResult> RepeatableAsync<TContext, TResult>(
        this TContext context, Func<TContext, CancellationToken, Task<TResult>> operation, CancellationToken cancellationToken = default)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(operation);
        return StrategyOf(context).ExecuteAsync(
            new RepeatableCall<Func<TContext, CancellationToken, Task<TResult>>>(operation),
            static (db, call, token) => call.Operation((TContext)db, token),
            null,
            cancellationToken);
    }

    /// <inheritdoc cref="RepeatableAsync{TContext, TResult}"/>
    public static TResult Repeatable<TContext, TResult>(this TContext context, Func<TContext, TResult> operation)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(operation);
        return StrategyOf(context).Execute(
            new RepeatableCall<Func<TContext, TResult>>(operation), static (db, call) => call.Operation((TContext)db), null);
    }

    /// <summary>Says that this query writes, because it calls a function that does: it is not repeated once it was sent, unless inside a transaction.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="query"/> is null.</exception>
    public static IQueryable<T> ThatWrites<T>(this IQueryable<T> query) => query.TagWith(Commands.WritesTag);

    private static ResilienceExecutionStrategy StrategyOf(DbContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Database.CreateExecutionStrategy() as ResilienceExecutionStrategy
            ?? throw new InvalidOperationException($"{context.GetType().Name} has no resilience: call UseResilience where its options are made.");
    }

    /// <summary>Whether the code runs in a transaction of the operation around it already.</summary>
    private static bool IsInside(DbContext context) => ExecutionStrategy.Current is not null && context.Database.CurrentTransaction is not null;
}
