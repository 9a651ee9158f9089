using System.Data.Common;

namespace Resilience.Idempotency;

/// <content>How claims end.</content>
public sealed partial class IdempotencyGate
{
    /// <summary>Records an outcome. The caller may have left long ago: his token has no say here.</summary>
    internal ValueTask<IdempotencyFinish> CompleteAsync(
        IdempotencyClaim claim, IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, TimeSpan? retention) =>
        claim.IsProtected && CompleteInMemory(claim, completion, kind, content, retention ?? _options.Retention) is { } finish
            ? new(finish)
            : CompleteSlowlyAsync(claim, completion, kind, content, retention);

    /// <summary>The short way to the store in memory. Null when that is not the store, or failed to keep a payload: then it is tried the long way.</summary>
    private IdempotencyFinish? CompleteInMemory(
        IdempotencyClaim claim, IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, TimeSpan retention)
    {
        bool? isKept;
        try
        {
            isKept = _store.CompleteInMemory(claim.Id, claim.Fence, completion, kind, content.Span, retention);
        }
        catch (Exception failed)
        {
            Safely.Report("idempotency complete", failed);
            return null;
        }

        if (isKept is null) return null;
        try
        {
            if (isKept == true) IdempotencyTelemetry.Ended(_environment, NameOf(completion));
            else IdempotencyTelemetry.NotKept(_environment, claim, IdempotencyFinish.Lost, null);
        }
        finally
        {
            if (_claims.Leave(claim) is { } followers) TellCopy(followers, isKept == true, completion, kind, content);
        }

        return isKept == true ? IdempotencyFinish.Kept : IdempotencyFinish.Lost;
    }

    /// <summary>The content stays the caller's, so those who follow receive one of their own.</summary>
    private static void TellCopy(
        ClaimFollowers followers, bool isKept, IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content)
    {
        IdempotencyResult end = default;
        try
        {
            if (isKept) end = IdempotencyResult.KeptNow(completion, kind, content.ToArray());
        }
        finally
        {
            followers.End(end);
        }
    }

    private static string NameOf(IdempotencyCompletion completion) => completion == IdempotencyCompletion.Completed ? "completed" : "unknown";

    private async ValueTask<IdempotencyFinish> CompleteSlowlyAsync(
        IdempotencyClaim claim, IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, TimeSpan? retention)
    {
        IdempotencyFinish finish = IdempotencyFinish.Unprotected;
        IdempotencyResult end = default;
        try
        {
            byte[] payload = Frame(ref kind, content.Span);
            end = IdempotencyResult.KeptNow(completion, kind, payload.AsMemory(IdempotencyPayload.Overhead));
            if (claim.IsProtected)
            {
                long asked = _clock.NowMs;
                TimeSpan kept = retention ?? _options.Retention;
                bool isKept = await _store.CompleteAsync(claim.Id, claim.Fence, completion, payload, kept).ConfigureAwait(false);
                finish = isKept ? IdempotencyFinish.Kept : IdempotencyFinish.Lost;
                if (isKept) _replays?.Keep(claim.Id, claim.Fingerprint, end, asked, kept);
            }

            if (finish == IdempotencyFinish.Lost) IdempotencyTelemetry.NotKept(_environment, claim, finish, null);
            else IdempotencyTelemetry.Ended(_environment, NameOf(completion));
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
            Leave(claim, finish == IdempotencyFinish.Lost ? default : end);
        }

        return finish;
    }

    /// <summary>The store as one that takes part in transactions.</summary>
    /// <exception cref="NotSupportedException">It is none.</exception>
    internal ITransactionalIdempotencyStore Transactional => ((Store as GuardedIdempotencyStore)?.Inner ?? Store) as ITransactionalIdempotencyStore
        ?? throw new NotSupportedException($"The store '{Store.Traits.Name}' has no transactions. Those of PostgreSQL and SQLite have.");

    /// <summary>Records an outcome in the caller's transaction. The lease is renewed no more: the row is locked, and a renewal would wait for the very
    /// transaction that it is to protect.</summary>
    /// <returns>What duplicates receive once it is committed; none when the claim is lost.</returns>
    internal async ValueTask<IdempotencyResult> CompleteInAsync(
        IdempotencyClaim claim, DbTransaction transaction, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        ITransactionalIdempotencyStore transactional = Transactional;
        if (!claim.IsProtected) throw new InvalidOperationException("The claim is without protection: there is no record that could be completed.");
        byte[] payload = Frame(ref kind, content.Span);
        bool isKept;
        _keeper.LetGo(claim);
        try
        {
            isKept = await transactional.CompleteAsync(
                transaction, claim.Id, claim.Fence, IdempotencyCompletion.Completed, payload, _options.Retention, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            _keeper.TakeBack(claim); // it was not completed, and its owner decides what becomes of it
            throw;
        }

        return isKept ? IdempotencyResult.KeptNow(IdempotencyCompletion.Completed, kind, payload.AsMemory(IdempotencyPayload.Overhead)) : default;
    }

    /// <summary>Ends a claim that was completed in a transaction.</summary>
    /// <param name="claim">The claim.</param>
    /// <param name="end">What those who wait here receive: the outcome when it was committed; none when that is not known, so that they ask.</param>
    internal void EndInTransaction(IdempotencyClaim claim, in IdempotencyResult end)
    {
        try
        {
            IdempotencyTelemetry.Ended(_environment, end.Status == IdempotencyStatus.Replayed ? "completed" : "held");
        }
        finally
        {
            Leave(claim, end);
        }
    }

    /// <summary>What was done stays done even if its result is too large to keep.</summary>
    private byte[] Frame(ref IdempotencyPayloadKind kind, ReadOnlySpan<byte> content)
    {
        if (IdempotencyPayload.Overhead + (long)content.Length <= _store.Traits.MaxPayloadBytes) return IdempotencyPayload.Encode(kind, content);
        kind = IdempotencyPayloadKind.DoneWithoutResult;
        return IdempotencyPayload.Encode(kind, default);
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
            Leave(claim, default);
        }

        return finish;
    }

    internal void Hold(IdempotencyClaim claim)
    {
        if (_isStopping && claim.IsProtected)
        {
            _ = LapseAsync(claim).AsTask(); // it leaves the table when the store knows, and StopAsync waits for that
            return;
        }

        try
        {
            IdempotencyTelemetry.Ended(_environment, "held");
        }
        finally
        {
            Leave(claim, default);
        }
    }

    /// <summary>After a claim was lost: the outcome that another caller recorded, so that all callers are told the same.</summary>
    /// <returns>Replayed or unknown if there is one; otherwise busy.</returns>
    public async ValueTask<IdempotencyResult> ReadOutcomeAsync(IdempotencyId id, Fingerprint fingerprint)
    {
        try
        {
            PeekResult seen = await _store.PeekAsync(id).ConfigureAwait(false);
            if (seen.State is not (IdempotencyState.Completed or IdempotencyState.Indeterminate)) return IdempotencyResult.Busy(HintFor(seen.RetryAfter));
            AcquireResult answer = await _store.AcquireAsync(RequestFor(id, fingerprint, NextNumber())).ConfigureAwait(false);
            if (answer.Status != AcquireStatus.Acquired) return EntryOf(answer);

            // It expired in this very moment; we came to look, not to do.
            await _store.ReleaseAsync(id, answer.Fence, answer.Attempt).ConfigureAwait(false);
            return IdempotencyResult.Busy(MinRetryAfter);
        }
        catch (IdempotencyStoreException failed)
        {
            return failed.Fault == IdempotencyStoreFault.Corrupt ? IdempotencyResult.Unreadable(failed) : IdempotencyResult.Unavailable(failed);
        }
    }

    private async ValueTask<bool> RenewAsync(IdempotencyClaim claim)
    {
        try
        {
            bool isHeld = await _store.RenewAsync(claim).ConfigureAwait(false);
            claim.RenewalError = null;
            return isHeld;
        }
        catch (Exception failed)
        {
            claim.RenewalError = failed;
            IdempotencyTelemetry.StoreFailed(_environment, "renew", failed);
            throw;
        }
    }

    private void LoseClaim(IdempotencyClaim claim)
    {
        // A renewal that crossed with the completion: the record is no longer in progress because it was completed, by us.
        if (claim.HasEnded) return;
        IdempotencyTelemetry.Lost(_environment, claim);

        // Those who wait here may ask the store again: another caller may hold the key, or none.
        Leave(claim, default);
        claim.Lose();
    }

    /// <summary>One caller in an interval starts a sweep, and does not wait for it.</summary>
    private void PurgeInBackground()
    {
        long due = Volatile.Read(ref _purgeAt), now = _clock.NowMs;
        if (now < due || Interlocked.CompareExchange(ref _purgeAt, Clock.After(now, _options.PurgeInterval), due) != due) return;
        ThreadPool.UnsafeQueueUserWorkItem(static gate => _ = gate.PurgeAsync(), this, preferLocal: false);
    }

    private async Task PurgeAsync()
    {
        const int Max = 1000, Rounds = 100;
        _replays?.Sweep(_clock.NowMs);
        try
        {
            for (int round = 0; round < Rounds && await _store.PurgeAsync(Max).ConfigureAwait(false) == Max; round++)
            {
                // as long as there is more
            }
        }
        catch (IdempotencyStoreException failed)
        {
            IdempotencyTelemetry.StoreFailed(_environment, "purge", failed);
        }
    }
}
