using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Duplicates of operations that are asked for or executed in this process or another: how they wait, and when they are told to come back.</summary>
internal sealed class Duplicates(IdempotencyOptions options, PolicyEnvironment environment)
{
    private static readonly TimeSpan MaxHint = TimeSpan.FromSeconds(5);

    private readonly Clock _clock = environment.Clock;
    private int _waiting;

    /// <summary>How many wait in this process now.</summary>
    internal int Waiting => Volatile.Read(ref _waiting);

    /// <summary>What a duplicate is told when nothing is known about the end of the first.</summary>
    internal TimeSpan MinRetryAfter => options.Lease < TimeSpan.FromSeconds(3) ? options.Lease / 3 : TimeSpan.FromSeconds(1);

    /// <summary>When to come back while another process holds the key. The rest of its lease bounds how long a dead owner is waited for; most
    /// owners are alive and end soon. What has run for some time is expected to run for as long again, within bounds.</summary>
    /// <param name="left">The rest of the lease.</param>
    internal TimeSpan HintFor(TimeSpan left)
    {
        if (left <= TimeSpan.Zero) return MinRetryAfter; // another caller is about to begin, or holds it in a transaction
        TimeSpan elapsed = options.Lease - left, hint = elapsed < MaxHint ? elapsed : MaxHint;
        if (hint < MinRetryAfter) hint = MinRetryAfter;
        return left < hint ? left : hint;
    }

    /// <summary>The outcome of the first; none when it gave up; null when this one may not wait (any longer).</summary>
    internal async ValueTask<IdempotencyResult?> WaitForAsync(ClaimFollowers followers, long waitUntil, CancellationToken cancellationToken)
    {
        if (!TryCount(ref followers.Waiters, options.MaxWaitersPerKey)) return null;
        if (!TryCount(ref _waiting, options.MaxWaiters))
        {
            Interlocked.Decrement(ref followers.Waiters);
            return null;
        }

        bool isCounted = IdempotencyTelemetry.BeginsToWait(environment);
        try
        {
            // A caller that does not wait for the first still waits to learn whether there is one: perhaps the operation is done already.
            long answerBy = Math.Max(waitUntil, Clock.After(_clock.NowMs, options.AcquireTimeout));
            if (!await CompletesAsync(followers.Answered, answerBy, cancellationToken).ConfigureAwait(false)) return null;
            Task<IdempotencyResult> ended = followers.Ended;
            if (!ended.IsCompleted && waitUntil == 0) return null;
            return await CompletesAsync(ended, waitUntil, cancellationToken).ConfigureAwait(false) ? await ended.ConfigureAwait(false) : null;
        }
        finally
        {
            Interlocked.Decrement(ref followers.Waiters);
            Interlocked.Decrement(ref _waiting);
            if (isCounted) IdempotencyTelemetry.HasWaited(environment);
        }
    }

    private static bool TryCount(ref int count, int max)
    {
        if (Interlocked.Increment(ref count) <= max) return true;
        Interlocked.Decrement(ref count);
        return false;
    }

    /// <summary>Waits on the gate's clock, whose end comes also where the thread pool has a backlog.</summary>
    private async ValueTask<bool> CompletesAsync(Task task, long until, CancellationToken cancellationToken)
    {
        if (task.IsCompleted) return true;
        long left = until - _clock.NowMs;
        if (left <= 0) return false;
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(task, ClockWait.ForAsync(_clock, TimeSpan.FromMilliseconds(left), enough.Token)).ConfigureAwait(false);
        await enough.CancelAsync().ConfigureAwait(false);
        if (task.IsCompleted) return true;
        cancellationToken.ThrowIfCancellationRequested();
        return false;
    }
}
