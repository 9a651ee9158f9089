using System.Data;
using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.Idempotency;

/// <summary>The transactions of one request on its context.</summary>
internal sealed class ContextTransaction(DbContext context) : ITransactionalScope
{
    private readonly DbConnection _connection = context.Database.GetDbConnection();
    private readonly bool _hasOneWriter = context.Database.ProviderName == RecordDialect.SqliteProvider;
    private IDbContextTransaction? _open;
    private WriterTurn? _turn;

    public DbTransaction Transaction => _open?.GetDbTransaction() ?? throw new InvalidOperationException("No transaction is open.");

    public bool IsTaken
    {
        get
        {
            try
            {
                if (_open is null || context.Database.CurrentTransaction != _open) return true;

                // One that goes with its connection was not ended by code; the next command hears of it.
                return _connection.State == ConnectionState.Open && DriverTransactions.HasEnded(_open.GetDbTransaction());
            }
            catch (InvalidOperationException)
            {
                return true; // the context was disposed of
            }
        }
    }

    public async ValueTask BeginAsync(IsolationLevel isolationLevel, CancellationToken cancellationToken)
    {
        if (_hasOneWriter) _turn = await WriterTurn.TakeAsync(_connection, cancellationToken).ConfigureAwait(false);
        try
        {
            _open = await context.Database.BeginTransactionAsync(isolationLevel, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (_open is null) EndTurn();
        }
    }

    public async ValueTask CommitAsync()
    {
        await _open!.CommitAsync(CancellationToken.None).ConfigureAwait(false);
        await EndAsync().ConfigureAwait(false);
    }

    public async ValueTask EndAsync()
    {
        IDbContextTransaction? ended = _open;
        _open = null;
        try
        {
            if (ended is not null) await ended.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The connection is gone, and the transaction with it.
        }
        finally
        {
            EndTurn();
        }
    }

    public void Forget() => context.ChangeTracker.Clear();

    public TransactionFault Judge(Exception error)
    {
        if (!IsOfDatabase(error)) return TransactionFault.None;
        return RecordErrors.IsConflict(error) ? TransactionFault.Conflict : TransactionFault.Database;
    }

    /// <summary>Of this context, or of a connection of the same driver: which of its connections it was, no exception tells.</summary>
    private bool IsOfDatabase(Exception error)
    {
        if (RecordErrors.Innermost(error) is { } database) return database.GetType().Assembly == _connection.GetType().Assembly;
        return error is DbUpdateException { Entries: { Count: > 0 } entries } && entries[0].Context == context;
    }

    private void EndTurn()
    {
        _turn?.Dispose();
        _turn = null;
    }
}
