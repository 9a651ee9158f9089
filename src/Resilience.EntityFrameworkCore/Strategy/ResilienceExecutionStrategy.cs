using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>The execution strategy of EF Core on a pipeline: it repeats what the pipeline repeats, unless the operation, or a part of it, may have been
/// applied. <c>UseResilience</c> gives it to a context.</summary>
/// <remarks>
/// Strategies inside one that runs, of whatever class, run their operation directly; a transaction that the caller began is an error, as with every
/// strategy that repeats. What comes out is what the pipeline gives: the result, or the exception of the last attempt, or a rejection. The exception
/// tells in <see cref="DatabaseResilience.OutcomeKey"/> where the outcome is unknown.
/// </remarks>
public sealed class ResilienceExecutionStrategy : ExecutionStrategy
{
    internal ResilienceExecutionStrategy(ExecutionStrategyDependencies dependencies, DatabaseResilience resilience)
        : base(dependencies, DefaultMaxRetryCount, DefaultMaxDelay)
    {
        Resilience = resilience;
        Operation = dependencies.CurrentContext.Context.GetType().Name;
    }

    /// <summary>Whether the pipeline may repeat, and no other strategy is running: then EF Core reads queries into memory as a whole, and transactions
    /// that the caller begins are errors.</summary>
    public override bool RetriesOnFailure => (Current is null || Current == this) && Resilience.Repeats(Context);

    internal DatabaseResilience Resilience { get; }

    internal DbContext Context => Dependencies.CurrentContext.Context;

    /// <summary>The name of the operation in telemetry: the context.</summary>
    internal string Operation { get; }

    /// <summary>Runs the operation through the pipeline of this context's server and database.</summary>
    /// <inheritdoc/>
    public override TResult Execute<TState, TResult>(
        TState state, Func<DbContext, TState, TResult> operation, Func<DbContext, TState, ExecutionResult<TResult>>? verifySucceeded)
    {
        ArgumentNullException.ThrowIfNull(operation);
        if (Current is not null) return Nested(state, operation);
        OnFirstExecution();
        return new SynchronousCall<TState, TResult>(this, state, operation, verifySucceeded).Execute(Resilience.For(Context).Pipeline);
    }

    /// <inheritdoc cref="Execute"/>
    public override async Task<TResult> ExecuteAsync<TState, TResult>(
        TState state,
        Func<DbContext, TState, CancellationToken, Task<TResult>> operation,
        Func<DbContext, TState, CancellationToken, Task<ExecutionResult<TResult>>>? verifySucceeded,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operation);
        if (Current is not null) return await NestedAsync(state, operation, cancellationToken).ConfigureAwait(false);
        OnFirstExecution();
        AsynchronousCall<TState, TResult> call = new(this, state, operation, verifySucceeded);
        return await call.ExecuteAsync(Resilience.For(Context).Pipeline, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Runs a delegate as the operation under way, of which others learn by <see cref="ExecutionStrategy.Current"/>.</summary>
    internal TResult Run<TArg, TResult>(OperationNotes notes, Func<TArg, TResult> operation, TArg argument)
    {
        (Current, OperationNotes.Current) = (this, notes);
        try
        {
            return operation(argument);
        }
        finally
        {
            (Current, OperationNotes.Current) = (null, null);
        }
    }

    /// <inheritdoc cref="Run"/>
    internal async Task<TResult> RunAsync<TResult>(OperationNotes notes, Func<Task<TResult>> operation)
    {
        (Current, OperationNotes.Current) = (this, notes); // of this flow, which ends with the method
        return await operation().ConfigureAwait(false);
    }

    /// <summary>What the pipeline of this context says of an exception: whether it repeats it.</summary>
    protected override bool ShouldRetryOn(Exception exception) =>
        Resilience.For(Context).Pipeline.Judge(exception, callCancelled: false) is { Verdict: Verdict.Failure, MayRepeat: true };

    /// <summary>Part of an operation that is repeated as a whole.</summary>
    private TResult Nested<TState, TResult>(TState state, Func<DbContext, TState, TResult> operation)
    {
        DbContext context = Context;
        try
        {
            TResult result = operation(context, state);
            OperationNotes.Current?.Sent(context.Database.GetDbConnection());
            return result;
        }
        catch (Exception error)
        {
            OperationNotes.Current?.Failed(context.Database.GetDbConnection(), error);
            throw;
        }
    }

    private async Task<TResult> NestedAsync<TState, TResult>(
        TState state, Func<DbContext, TState, CancellationToken, Task<TResult>> operation, CancellationToken cancellationToken)
    {
        DbContext context = Context;
        try
        {
            TResult result = await operation(context, state, cancellationToken).ConfigureAwait(false);
            OperationNotes.Current?.Sent(context.Database.GetDbConnection());
            return result;
        }
        catch (Exception error)
        {
            OperationNotes.Current?.Failed(context.Database.GetDbConnection(), error);
            throw;
        }
    }
}
