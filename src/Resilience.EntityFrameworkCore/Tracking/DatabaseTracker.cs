using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Resilience.EntityFrameworkCore;

/// <summary>Notes what the running operation sends, and whether it was answered. One for all contexts: what it notes belongs to the operation.</summary>
internal sealed class DatabaseTracker : DbCommandInterceptor, IDbTransactionInterceptor, ISaveChangesInterceptor
{
    internal static DatabaseTracker Instance { get; } = new();

    // ---- commands that are about to be sent

    public override InterceptionResult<DbDataReader> ReaderExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result) =>
        Sending(command, eventData, result);

    public override InterceptionResult<object> ScalarExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<object> result) =>
        Sending(command, eventData, result);

    public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result) =>
        Sending(command, eventData, result);

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default) =>
        new(Sending(command, eventData, result));

    public override ValueTask<InterceptionResult<object>> ScalarExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<object> result, CancellationToken cancellationToken = default) =>
        new(Sending(command, eventData, result));

    public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
        new(Sending(command, eventData, result));

    // ---- commands that were answered; a reader is not when it opens, because the server goes on while it is read

    public override object? ScalarExecuted(DbCommand command, CommandExecutedEventData eventData, object? result) => Sent(command, result);

    public override int NonQueryExecuted(DbCommand command, CommandExecutedEventData eventData, int result) => Sent(command, result);

    public override ValueTask<object?> ScalarExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, object? result, CancellationToken cancellationToken = default) => new(Sent(command, result));

    public override ValueTask<int> NonQueryExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default) => new(Sent(command, result));

    public override void CommandFailed(DbCommand command, CommandErrorEventData eventData)
    {
        if (command.Connection is { } connection) OperationNotes.Current?.Failed(connection, eventData.Exception);
    }

    public override Task CommandFailedAsync(DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        CommandFailed(command, eventData);
        return Task.CompletedTask;
    }

    // ---- transactions

    public DbTransaction TransactionStarted(DbConnection connection, TransactionEndEventData eventData, DbTransaction result)
    {
        OperationNotes.Current?.Began(connection, result);
        return result;
    }

    public ValueTask<DbTransaction> TransactionStartedAsync(
        DbConnection connection, TransactionEndEventData eventData, DbTransaction result, CancellationToken cancellationToken = default) =>
        new(TransactionStarted(connection, eventData, result));

    public InterceptionResult TransactionCommitting(DbTransaction transaction, TransactionEventData eventData, InterceptionResult result)
    {
        OperationNotes.Current?.Committing(transaction);
        return result;
    }

    public ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default) =>
        new(TransactionCommitting(transaction, eventData, result));

    public void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => OperationNotes.Current?.Sent(ConnectionOf(eventData));

    public Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        TransactionCommitted(transaction, eventData);
        return Task.CompletedTask;
    }

    public void TransactionRolledBack(DbTransaction transaction, TransactionEndEventData eventData) => OperationNotes.Current?.RolledBack(transaction);

    public Task TransactionRolledBackAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        TransactionRolledBack(transaction, eventData);
        return Task.CompletedTask;
    }

    public void TransactionFailed(DbTransaction transaction, TransactionErrorEventData eventData) =>
        OperationNotes.Current?.Failed(ConnectionOf(eventData), eventData.Exception);

    public Task TransactionFailedAsync(DbTransaction transaction, TransactionErrorEventData eventData, CancellationToken cancellationToken = default)
    {
        TransactionFailed(transaction, eventData);
        return Task.CompletedTask;
    }

    // ---- contexts that take changes for saved

    public int SavedChanges(SaveChangesCompletedEventData eventData, int result)
    {
        if (OperationNotes.Current is { } notes && eventData.Context is { } context && !HasChanges(context)) notes.Accepted(context);
        return result;
    }

    public ValueTask<int> SavedChangesAsync(SaveChangesCompletedEventData eventData, int result, CancellationToken cancellationToken = default) =>
        new(SavedChanges(eventData, result));

    /// <summary>Right after saving: whether the entities still stand there as changed, because the caller accepts them by itself.</summary>
    private static bool HasChanges(DbContext context)
    {
        bool detects = context.ChangeTracker.AutoDetectChangesEnabled;
        context.ChangeTracker.AutoDetectChangesEnabled = false;
        try
        {
            return context.ChangeTracker.HasChanges();
        }
        finally
        {
            context.ChangeTracker.AutoDetectChangesEnabled = detects;
        }
    }

    private static TResult Sending<TResult>(DbCommand command, CommandEventData eventData, TResult result)
    {
        if (OperationNotes.Current is { } notes)
        {
            if (DriverRetries.MayHave(command) && eventData.Context is { } context) ResilienceOptionsExtension.CheckDriver(context, command);
            if (command.Connection is { } connection) notes.Sending(connection, command.Transaction, Commands.KindOf(command, eventData.CommandSource));
        }
        else if (eventData.Context is { } other)
        {
            ResilienceOptionsExtension.Validate(other);
        }

        return result;
    }

    private static TResult Sent<TResult>(DbCommand command, TResult result)
    {
        if (command.Connection is { } connection) OperationNotes.Current?.Sent(connection);
        return result;
    }

    /// <summary>Not that of the transaction, which forgets it when it has ended.</summary>
    private static DbConnection ConnectionOf(TransactionEventData eventData) => eventData.Context!.Database.GetDbConnection();
}
