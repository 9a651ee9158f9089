namespace Resilience.Idempotency;

/// <summary>One operation that waits to be written together with others.</summary>
internal abstract class SqliteOperation
{
    /// <summary>True when the caller left before it was begun.</summary>
    internal abstract bool IsWithdrawn();

    /// <summary>True for the first of two: it is begun, or it is withdrawn.</summary>
    internal abstract bool TryBegin();

    /// <summary>Does it, within a transaction. Errors of SQLite come out and undo the whole transaction; other ones are this operation's own.</summary>
    internal abstract void Run(SqliteSession session);

    /// <summary>Tells the caller: after the commit (null), or why there was none.</summary>
    internal abstract void Finish(Exception? failure);
}

/// <inheritdoc cref="SqliteOperation"/>
internal sealed class SqliteOperation<TResult>(Func<SqliteSession, TResult> act, CancellationToken cancellationToken) : SqliteOperation
{
    private readonly TaskCompletionSource<TResult> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TResult? _answer;
    private int _isTaken;
    private Exception? _own;

    internal Task<TResult> Task => _done.Task;

    internal override bool IsWithdrawn()
    {
        if (!cancellationToken.IsCancellationRequested) return false;
        _done.TrySetCanceled(cancellationToken);
        return true;
    }

    internal override bool TryBegin() => Interlocked.Exchange(ref _isTaken, 1) == 0;

    /// <summary>Takes it back. False when it was begun already: then it has an answer.</summary>
    internal bool TryWithdraw()
    {
        if (!TryBegin()) return false;
        _done.TrySetCanceled(CancellationToken.None);
        return true;
    }

    internal override void Run(SqliteSession session)
    {
        try
        {
            _answer = act(session);
        }
        catch (IdempotencyStoreException corrupt)
        {
            _own = corrupt;
        }
    }

    internal override void Finish(Exception? failure)
    {
        if ((failure ?? _own) is { } error) _done.TrySetException(error);
        else _done.TrySetResult(_answer!);
    }
}
