namespace Resilience.Idempotency;

/// <content>Duplicates of an operation that this process is asking for or doing.</content>
public sealed partial class IdempotencyGate
{
    private static readonly TimeSpan MaxHint = TimeSpan.FromSeconds(5);

    /// <param name="mine">Enters the place of the first if that gives up.</param>
    /// <param name="followers">Those of the first; null when the first asks for something else.</param>
    /// <param name="isOwned">Whether the first holds the key.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    private async ValueTask<IdempotencyResult> FollowAsync(
        IdempotencyClaim mine, ClaimFollowers? followers, bool isOwned, CancellationToken cancellationToken)
    {
        long waitUntil = WaitUntil();
        while (true)
        {
            if (followers is null)
            {
                // Known to be another request only when the other one holds the key; until then the store decides, for us alone.
                if (isOwned) return IdempotencyResult.KeyReused;
                return await LeadAsync(mine, waitUntil, cancellationToken).ConfigureAwait(false);
            }

            IdempotencyResult? entry = await WaitForAsync(followers, waitUntil, cancellationToken).ConfigureAwait(false);
            if (entry is not { } known) return IdempotencyResult.Busy(MinRetryAfter);
            if (known.Status != IdempotencyStatus.None) return known;

            // The first gave up: one of those who waited takes its place, the others follow that one.
            if (_claims.TryEnter(mine, out followers, out isOwned)) return await LeadAsync(mine, waitUntil, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>What a duplicate is told when nothing is known about the end of the first.</summary>
    private TimeSpan MinRetryAfter => _options.Lease < TimeSpan.FromSeconds(3) ? _options.Lease / 3 : TimeSpan.FromSeconds(1);

    /// <summary>When to come back while another process holds the key. The rest of its lease bounds how long a dead owner is waited for; most
    /// owners are alive and end soon. What has run for some time is expected to run for as long again, within bounds.</summary>
    /// <param name="left">The rest of the lease.</param>
    private TimeSpan HintFor(TimeSpan left)
    {
        if (left <= TimeSpan.Zero) return MinRetryAfter; // another caller is about to begin, or holds it in a transaction
        TimeSpan elapsed = _options.Lease - left, hint = elapsed < MaxHint ? elapsed : MaxHint;
        if (hint < MinRetryAfter) hint = MinRetryAfter;
        return left < hint ? left : hint;
    }

    /// <summary>The outcome of the first; none when it gave up; null when this one may not wait (any longer).</summary>
    private async ValueTask<IdempotencyResult?> WaitForAsync(ClaimFollowers followers, long waitUntil, CancellationToken cancellationToken)
    {
        if (!TryCount(ref followers.Waiters, _options.MaxWaitersPerKey)) return null;
        if (!TryCount(ref _waiters, _options.MaxWaiters))
        {
            Interlocked.Decrement(ref followers.Waiters);
            return null;
        }

        bool isCounted = IdempotencyTelemetry.BeginsToWait(_environment);
        try
        {
            // A caller that does not wait for the first still waits to learn whether there is one: perhaps the operation is done already.
            long answerBy = Math.Max(waitUntil, Clock.After(_clock.NowMs, _options.AcquireTimeout));
            if (!await CompletesAsync(followers.Answered, answerBy, cancellationToken).ConfigureAwait(false)) return null;
            Task<IdempotencyResult> ended = followers.Ended;
            if (!ended.IsCompleted && waitUntil == 0) return null;
            return await CompletesAsync(ended, waitUntil, cancellationToken).ConfigureAwait(false) ? await ended.ConfigureAwait(false) : null;
        }
        finally
        {
            Interlocked.Decrement(ref followers.Waiters);
            Interlocked.Decrement(ref _waiters);
            if (isCounted) IdempotencyTelemetry.HasWaited(_environment);
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
