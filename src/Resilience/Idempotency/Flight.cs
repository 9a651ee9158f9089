namespace Resilience;

/// <summary>One deed that this process is asking for or doing: its duplicates here need not ask the store.</summary>
/// <remarks>
/// asking → owned → ended, or asking → ended. Whoever follows waits for the next of these. All fields change under its own lock
/// (nobody else has it); signals are given outside of it.
/// </remarks>
internal sealed class Flight(Fingerprint fingerprint)
{
    private TaskCompletionSource? _answered;
    private TaskCompletionSource<IdempotencyEntry>? _ended;
    private IdempotencyEntry _end;
    private bool _isOwned;
    private bool _isEnded;

    internal Fingerprint Fingerprint { get; } = fingerprint;

    /// <summary>Followers that wait; guarded by the caller's interlocked operations.</summary>
    internal int Waiters;

    /// <summary>True while a claim of this process holds the deed.</summary>
    internal bool IsOwned
    {
        get
        {
            lock (this) return _isOwned && !_isEnded;
        }
    }

    /// <summary>Completes when it is known whether this process owns the deed, or when it has ended.</summary>
    internal Task Answered
    {
        get
        {
            lock (this)
            {
                if (_isOwned || _isEnded) return Task.CompletedTask;
                return (_answered ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }
    }

    /// <summary>Completes with what followers receive; <c>default</c> tells them to ask again.</summary>
    internal Task<IdempotencyEntry> Ended
    {
        get
        {
            lock (this)
            {
                if (_isEnded) return Task.FromResult(_end);
                return (_ended ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }
        }
    }

    internal void Own()
    {
        TaskCompletionSource? answered;
        lock (this)
        {
            _isOwned = true;
            answered = _answered;
        }

        answered?.TrySetResult();
    }

    internal void End(in IdempotencyEntry end)
    {
        TaskCompletionSource? answered;
        TaskCompletionSource<IdempotencyEntry>? ended;
        lock (this)
        {
            if (_isEnded) return;
            _isEnded = true;
            _end = end;
            answered = _answered;
            ended = _ended;
        }

        answered?.TrySetResult();
        ended?.TrySetResult(end);
    }
}
