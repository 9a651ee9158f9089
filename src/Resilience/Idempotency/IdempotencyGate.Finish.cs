namespace Resilience;

/// <content>How claims end.</content>
public sealed partial class IdempotencyGate
{
    /// <summary>Records an outcome. The caller may have left long ago: his token has no say here.</summary>
    internal async ValueTask<IdempotencyFinish> CompleteAsync(
        IdempotencyClaim claim, IdempotencyEnding ending, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content)
    {
        IdempotencyFinish finish = IdempotencyFinish.Unprotected;
        IdempotencyEntry end = default;
        try
        {
            // What was done stays done even if its result is too large to keep.
            if (IdempotencyPayload.Overhead + (long)content.Length > _store.Traits.MaxPayloadBytes)
                (kind, content) = (IdempotencyPayloadKind.DoneWithoutResult, default);
            byte[] payload = IdempotencyPayload.Encode(kind, content.Span);
            end = IdempotencyEntry.KeptNow(ending, kind, payload.AsMemory(IdempotencyPayload.Overhead));
            if (claim.IsProtected)
                finish = await _store.CompleteAsync(claim.Id, claim.Fence, ending, payload).ConfigureAwait(false) ? IdempotencyFinish.Kept : IdempotencyFinish.Lost;
            if (finish == IdempotencyFinish.Lost) IdempotencyTelemetry.NotKept(_environment, claim, finish, null);
            else IdempotencyTelemetry.Ended(_environment, ending == IdempotencyEnding.Completed ? "completed" : "unknown");
        }
        catch (Exception failed)
        {
            finish = IdempotencyFinish.StoreFailed;
            IdempotencyTelemetry.NotKept(_environment, claim, finish, failed);
        }
        finally
        {
            // Those who waited here receive what the first received, whether or not it could be written down; if the claim was lost they
            // ask, because what counts is what the other one recorded.
            CloseClaim(claim, finish == IdempotencyFinish.Lost ? default : end);
        }

        return finish;
    }

    internal ValueTask<IdempotencyFinish> ReleaseAsync(IdempotencyClaim claim) => GiveBackAsync(claim, claim.Attempt, "released");

    /// <summary>Ends the lease now and leaves the attempt counted: as a claim that took over is given back.</summary>
    internal ValueTask<IdempotencyFinish> LapseAsync(IdempotencyClaim claim) => GiveBackAsync(claim, Math.Max(2, claim.Attempt), "lapsed");

    private async ValueTask<IdempotencyFinish> GiveBackAsync(IdempotencyClaim claim, int attempt, string how)
    {
        IdempotencyFinish finish = IdempotencyFinish.Unprotected;
        try
        {
            if (claim.IsProtected)
            {
                finish = await _store.ReleaseAsync(claim.Id, claim.Fence, attempt).ConfigureAwait(false) ? IdempotencyFinish.Kept : IdempotencyFinish.Lost;
                IdempotencyTelemetry.Ended(_environment, finish == IdempotencyFinish.Kept ? how : "stale");
            }
        }
        catch (Exception failed)
        {
            finish = IdempotencyFinish.StoreFailed;
            IdempotencyTelemetry.NotKept(_environment, claim, finish, failed);
        }
        finally
        {
            CloseClaim(claim, default);
        }

        return finish;
    }

    internal void Hold(IdempotencyClaim claim)
    {
        try
        {
            IdempotencyTelemetry.Ended(_environment, "held");
        }
        finally
        {
            CloseClaim(claim, default);
        }
    }

    /// <summary>After a claim was lost: the outcome that somebody else recorded, so that all callers are told the same.</summary>
    /// <returns>Replayed or unknown if there is one; otherwise busy.</returns>
    public async ValueTask<IdempotencyEntry> ReadOutcomeAsync(IdempotencyId id, Fingerprint fingerprint)
    {
        try
        {
            PeekAnswer seen = await _store.PeekAsync(id).ConfigureAwait(false);
            if (seen.State is not (IdempotencyState.Completed or IdempotencyState.Indeterminate)) return IdempotencyEntry.Busy(HintFor(seen.RetryAfter));
            long asked = _clock.NowMs;
            AcquireAnswer answer = await _store.AcquireAsync(RequestFor(id, fingerprint)).ConfigureAwait(false);
            if (answer.Status != AcquireStatus.Acquired) return Settle(id, null, answer, asked);

            // It expired in this very moment; we came to look, not to do.
            await _store.ReleaseAsync(id, answer.Fence, answer.Attempt).ConfigureAwait(false);
            return IdempotencyEntry.Busy(LeastRetryAfter);
        }
        catch (IdempotencyStoreException failed)
        {
            return failed.Fault == IdempotencyStoreFault.Corrupt ? IdempotencyEntry.Unreadable(failed) : IdempotencyEntry.Unavailable(failed);
        }
    }

    private void CloseClaim(IdempotencyClaim claim, in IdempotencyEntry end)
    {
        _keeper.Remove(claim);
        EndFlight(claim.Id, claim.Flight, end);
    }

    private void LoseClaim(IdempotencyClaim claim)
    {
        // A renewal that crossed with the completion: the record is no longer in progress because it was completed, by us.
        if (claim.HasEnded) return;
        IdempotencyTelemetry.Lost(_environment, claim);

        // Those who wait here may ask the store again: somebody else may hold the key, or nobody.
        EndFlight(claim.Id, claim.Flight, default);
        claim.Lose();
    }

    /// <summary>One caller in an interval sends somebody to sweep, and does not wait for him.</summary>
    private void PurgeInBackground()
    {
        long due = Volatile.Read(ref _purgeAt), now = _clock.NowMs;
        if (now < due || Interlocked.CompareExchange(ref _purgeAt, Clock.After(now, _options.PurgeInterval), due) != due) return;
        ThreadPool.UnsafeQueueUserWorkItem(static gate => _ = gate.PurgeAsync(), this, preferLocal: false);
    }

    private async Task PurgeAsync()
    {
        const int Most = 1000, Rounds = 100;
        try
        {
            for (int round = 0; round < Rounds && await _store.PurgeAsync(Most).ConfigureAwait(false) == Most; round++)
            {
                // as long as there is more
            }
        }
        catch (IdempotencyStoreException failed)
        {
            Safely.Report("idempotency purge", failed);
        }
    }
}
