using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace Resilience.EntityFrameworkCore;

/// <summary>What is known of the database after an attempt that has failed.</summary>
internal enum AttemptEnd
{
    /// <summary>Nothing was applied: nothing was sent, only reads were, or every write was rolled back or will be.</summary>
    NotApplied,

    /// <summary>A write was sent whose answer did not come: a COMMIT, or a statement outside of a transaction.</summary>
    Unknown,

    /// <summary>A part was committed before the rest failed.</summary>
    Applied,
}

/// <summary>What one attempt of an operation has sent to databases, and what is known of it. The tracker notes it for all contexts that the operation
/// uses: what one of them has committed is not done again because another one failed.</summary>
/// <remarks>Thread-safe: an operation may use several contexts at once.</remarks>
internal sealed class OperationNotes
{
    private static readonly AsyncLocal<OperationNotes?> OfFlow = new();

    private readonly Lock _gate = new();
    private readonly List<ConnectionNotes> _connections = []; // nearly always one
    private readonly List<DbContext> _accepted = [];
    private bool _isApplied;
    private bool _isUnknown;

    /// <summary>Of the attempt that runs in this flow; null outside of one.</summary>
    internal static OperationNotes? Current
    {
        get => OfFlow.Value;
        set => OfFlow.Value = value;
    }

    /// <summary>A command is about to be sent.</summary>
    /// <param name="connection">Where.</param>
    /// <param name="transaction">The transaction of the command.</param>
    /// <param name="kind">What the command may do.</param>
    internal void Sending(DbConnection connection, DbTransaction? transaction, CommandKind kind)
    {
        lock (_gate)
        {
            ConnectionNotes notes = Of(connection);
            Finish(notes); // one command at a time: what was read of the one before it was read to its end
            if (kind == CommandKind.Read) return;
            if (transaction is not null && ReferenceEquals(transaction, notes.Transaction)) notes.Uncommitted = Greater(notes.Uncommitted, kind);
            else notes.Writing = kind;
        }
    }

    /// <summary>A command that was sent has ended well. A reader has not ended when it is open: the server commits when all was sent.</summary>
    internal void Sent(DbConnection connection)
    {
        lock (_gate) Finish(Of(connection));
    }

    /// <summary>A command has failed.</summary>
    internal void Failed(DbConnection connection, Exception error)
    {
        lock (_gate) Fail(Of(connection), error);
    }

    /// <summary>A transaction begins that is ended by EF Core, so that its COMMIT is seen. Others count as statements of their own.</summary>
    internal void Began(DbConnection connection, DbTransaction transaction)
    {
        lock (_gate)
        {
            ConnectionNotes notes = Of(connection);
            Finish(notes);
            (notes.Transaction, notes.Uncommitted) = (transaction, CommandKind.Read);
        }
    }

    /// <summary>COMMIT is about to be sent.</summary>
    internal void Committing(DbTransaction transaction)
    {
        lock (_gate)
        {
            if (Of(transaction) is not { } notes) return;
            notes.Writing = notes.Uncommitted; // from now on it is as a statement of its own
            (notes.Transaction, notes.Uncommitted) = (null, CommandKind.Read);
        }
    }

    /// <summary>The transaction was rolled back.</summary>
    internal void RolledBack(DbTransaction transaction)
    {
        lock (_gate)
        {
            if (Of(transaction) is { } notes) (notes.Transaction, notes.Uncommitted) = (null, CommandKind.Read);
        }
    }

    /// <summary>A context takes for saved what may yet be rolled back: if it lives on, a repeat would not save it again.</summary>
    internal void Accepted(DbContext context)
    {
        lock (_gate)
        {
            if (!_accepted.Contains(context)) _accepted.Add(context);
        }
    }

    /// <summary>The contexts that have taken changes for saved.</summary>
    internal DbContext[] ContextsThatAccepted()
    {
        lock (_gate) return [.. _accepted];
    }

    /// <summary>The attempt has failed: what is known.</summary>
    internal AttemptEnd End(Exception error)
    {
        lock (_gate)
        {
            foreach (ConnectionNotes notes in _connections) Fail(notes, error);
            return _isUnknown ? AttemptEnd.Unknown : _isApplied ? AttemptEnd.Applied : AttemptEnd.NotApplied;
        }
    }

    private void Finish(ConnectionNotes notes)
    {
        _isApplied |= notes.Writing == CommandKind.Write;
        notes.Writing = CommandKind.Read;
    }

    private void Fail(ConnectionNotes notes, Exception error)
    {
        _isUnknown |= notes.Writing != CommandKind.Read && !DatabaseErrors.SaysRolledBack(error);
        notes.Writing = CommandKind.Read;
    }

    private ConnectionNotes Of(DbConnection connection)
    {
        foreach (ConnectionNotes notes in _connections)
        {
            if (ReferenceEquals(notes.Connection, connection)) return notes;
        }

        ConnectionNotes added = new(connection);
        _connections.Add(added);
        return added;
    }

    private ConnectionNotes? Of(DbTransaction transaction) => _connections.Find(notes => ReferenceEquals(notes.Transaction, transaction));

    private static CommandKind Greater(CommandKind one, CommandKind other) => one > other ? one : other;

    /// <summary>Under the gate of its notes.</summary>
    private sealed class ConnectionNotes(DbConnection connection)
    {
        internal DbConnection Connection => connection;

        /// <summary>The open transaction whose end EF Core will tell.</summary>
        internal DbTransaction? Transaction { get; set; }

        /// <summary>The most that was done in it.</summary>
        internal CommandKind Uncommitted { get; set; }

        /// <summary>What was sent that takes effect by itself, a COMMIT included, and has not been answered.</summary>
        internal CommandKind Writing { get; set; }
    }
}
