namespace Resilience.Idempotency;

/// <summary>The duplicates of an operation that this process asks for or executes: they need not ask the store. Made when the first of them comes.</summary>
/// <remarks>asking → owned → ended, or asking → ended. Who follows waits for the next of these. Signals are given outside of every lock.</remarks>
internal sealed class ClaimFollowers
{
    private readonly TaskCompletionSource _answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<IdempotencyResult> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How many of them wait; guarded by the caller's interlocked operations.</summary>
    internal int Waiters;

    /// <summary>Completes when it is known whether this process owns the operation, or when it has ended.</summary>
    internal Task Answered => _answered.Task;

    /// <summary>Completes with what followers receive; <c>default</c> tells them to ask again.</summary>
    internal Task<IdempotencyResult> Ended => _ended.Task;

    internal void Own() => _answered.TrySetResult();

    /// <summary>The first end counts.</summary>
    internal void End(in IdempotencyResult end)
    {
        _ended.TrySetResult(end);
        _answered.TrySetResult(); // last: who hears this one looks at the other
    }
}
