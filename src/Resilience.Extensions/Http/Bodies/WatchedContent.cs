namespace Resilience.Http;

/// <summary>The content of one attempt, which knows whether a sending of it has begun, and can be closed so that none begins any more.</summary>
/// <remarks>One word keeps that: how many sendings are under way, whether any has begun, and whether the content is closed.</remarks>
internal abstract class WatchedContent : HttpContent
{
    private const int Closed = int.MinValue;
    private const int Begun = 1 << 30; // the bits below count the sendings under way

    private int _word;
    private volatile bool _isOver;

    /// <summary>True once a sending has begun, by the transport or by a handler that read the content: bytes may have left.</summary>
    internal bool HasBegun => (Volatile.Read(ref _word) & Begun) != 0;

    /// <summary>True once the attempt has ended, for better or worse.</summary>
    internal bool IsOver
    {
        get => _isOver;
        set => _isOver = value;
    }

    /// <summary>Closes the content if no sending of it has begun: one atomic step, so what it proves stays true.</summary>
    internal bool TryCloseUnbegun() => Interlocked.CompareExchange(ref _word, Closed, 0) is 0 or Closed;

    /// <summary>The attempt failed: no sending begins any more, and the task ends when none is under way.</summary>
    internal virtual Task CloseAsync()
    {
        Close();
        return Task.CompletedTask;
    }

    /// <summary>Closes the content; true when no sending is under way.</summary>
    protected bool Close() => (Interlocked.Or(ref _word, Closed) & ~(Closed | Begun)) == 0;

    /// <exception cref="OperationCanceledException">The content is closed.</exception>
    protected void Begin()
    {
        int seen = Volatile.Read(ref _word);
        while (true)
        {
            if (seen < 0) throw new OperationCanceledException("The attempt that this content belongs to has ended.");
            int found = Interlocked.CompareExchange(ref _word, (seen + 1) | Begun, seen);
            if (found == seen) return;
            seen = found;
        }
    }

    /// <summary>True when the content is closed and this was the last sending.</summary>
    protected bool End() => Interlocked.Decrement(ref _word) == (Closed | Begun);
}
