using System.Data.Common;

namespace Resilience.Idempotency;

/// <summary>How claims end: completed, given back, or held.</summary>
internal sealed class ClaimCompletion(IdempotencyGate gate) : IClaimOwner
{
    /// <exception cref="NotSupportedException">The store has none.</exception>
    private ITransactionalIdempotencyStore Transactional => TransactionalOf(gate.Store)
        ?? throw new NotSupportedException($"The store '{gate.Store.Traits.Name}' has no transactions. Those of PostgreSQL, SQLite and EF Core have.");

    /// <summary>A store as one that takes part in transactions; null: it is none.</summary>
    internal static ITransactionalIdempotencyStore? TransactionalOf(IIdempotencyStore store) =>
        ((store as GuardedIdempotencyStore)?.Inner ?? store) as ITransactionalIdempotencyStore;

    /// <summary>Records an outcome. The caller may have left long ago: his token has no say here.</summary>
    public ValueTask<IdempotencyFinish> CompleteAsync(
        IdempotencyClaim claim, IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, TimeSpan? retention) =>
        claim.IsProtected && CompleteInMemory(claim, completion, kind, content, retention ?? gate.Options.Retention) is { } finish
            ? new(finish)
            : CompleteSlowlyAsync(claim, completion, kind, content, retention);

    /// <summary>The short way to the store in memory. Null when that is not the store, or failed to keep a payload: then it is tried the long way.</summary>
    private IdempotencyFinish? CompleteInMemory(
        IdempotencyClaim claim, IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, TimeSpan retention)
    {
        bool? isKept;
        try
        {
            isKept = gate.Calls.CompleteInMemory(claim.Id, claim.Fence, completion, kind, content.Span, retention);
        }
        catch (Exception failed)
        {
            Safely.Report("idempotency complete", failed);
            return null;
        }

        if (isKept is null) return null;
        try
        {
            if (isKept == true) IdempotencyTelemetry.Ended(gate.Environment, NameOf(completion));
            else IdempotencyTelemetry.NotKept(gate.Environment, claim, IdempotencyFinish.Lost, null);
        }
        finally
        {
            if (gate.Claims.Leave(claim) is { } followers) TellCopy(followers, isKept == true, completion, kind, content);
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

    private static string NameOf(IdempotencyCompletion completion) => completion == IdempotencyCompletion.Completed ? "completed" : "outcome_unknown";

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
                long asked = gate.Clock.NowMs;
                TimeSpan kept = retention ?? gate.Options.Retention;
                bool isKept = await gate.Calls.CompleteAsync(claim.Id, claim.Fence, completion, payload, kept).ConfigureAwait(false);
                finish = isKept ? IdempotencyFinish.Kept : IdempotencyFinish.Lost;
                if (isKept) gate.Replays?.Keep(claim.Id, claim.Fingerprint, end, asked, kept);
            }

            if (finish == IdempotencyFinish.Lost) IdempotencyTelemetry.NotKept(gate.Environment, claim, finish, null);
            else IdempotencyTelemetry.Ended(gate.Environment, NameOf(completion));
        }
        catch (Exception failed)
        {
            finish = IdempotencyFinish.StoreFailed;
            IdempotencyTelemetry.NotKept(gate.Environment, claim, finish, failed);
        }
        finally
        {
            // Those who waited here receive what the first received, whether or not it could be written down; if the claim was lost they
            // ask, because what counts is what the other one recorded.
            gate.Leave(claim, finish == IdempotencyFinish.Lost ? default : end);
        }

        return finish;
    }

    /// <summary>Records an outcome in the caller's transaction. The lease is renewed no more: the row is locked, and a renewal would wait for the very
    /// transaction that it is to protect.</summary>
    /// <returns>What duplicates receive once it is committed; none when the claim is lost.</returns>
    public async ValueTask<IdempotencyResult> CompleteInAsync(
        IdempotencyClaim claim, DbTransaction transaction, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        ITransactionalIdempotencyStore transactional = Transactional;
        if (!claim.IsProtected) throw new InvalidOperationException("The claim is without protection: there is no record that could be completed.");
        byte[] payload = Frame(ref kind, content.Span);
        bool isKept;
        gate.Keeper.LetGo(claim);
        try
        {
            isKept = await transactional.CompleteAsync(
                transaction, claim.Id, claim.Fence, IdempotencyCompletion.Completed, payload, gate.Options.Retention, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            gate.Keeper.TakeBack(claim); // it was not completed, and its owner decides what becomes of it
            throw;
        }

        return isKept ? IdempotencyResult.KeptNow(IdempotencyCompletion.Completed, kind, payload.AsMemory(IdempotencyPayload.Overhead)) : default;
    }

    public ValueTask EnterTransactionAsync(IdempotencyClaim claim, DbTransaction transaction, CancellationToken cancellationToken) =>
        Transactional.EnterAsync(transaction, claim.Id, cancellationToken);

    public void TakeBack(IdempotencyClaim claim) => gate.Keeper.TakeBack(claim);

    public Guid NonceOf(long number) => gate.NonceOf(number);

    public ValueTask<CommitResolution> ResolveCommitAsync(IdempotencyClaim claim, TimeSpan wait, CancellationToken cancellationToken) =>
        Transactional.ResolveAsync(claim.Id, claim.Nonce, wait, cancellationToken);

    /// <summary>Ends a claim that was completed in a transaction.</summary>
    /// <param name="claim">The claim.</param>
    /// <param name="end">What those who wait here receive: the outcome when it was committed; none when that is not known, so that they ask.</param>
    public void EndInTransaction(IdempotencyClaim claim, in IdempotencyResult end)
    {
        try
        {
            IdempotencyTelemetry.Ended(gate.Environment, end.Status == IdempotencyStatus.Replayed ? "completed" : "held");
        }
        finally
        {
            gate.Leave(claim, end);
        }
    }

    /// <summary>What was done stays done even if its result is too large to keep.</summary>
    internal byte[] Frame(ref IdempotencyPayloadKind kind, ReadOnlySpan<byte> content)
    {
        if (IdempotencyPayload.Overhead + (long)content.Length <= gate.Calls.Traits.MaxPayloadBytes) return IdempotencyPayload.Encode(kind, content);
        kind = IdempotencyPayloadKind.DoneWithoutResult;
        return IdempotencyPayload.Encode(kind, default);
    }

    public ValueTask<IdempotencyFinish> ReleaseAsync(IdempotencyClaim claim) =>
        GiveBackAsync(claim, claim.Attempt, "released");

    /// <summary>Ends the lease now and leaves the attempt counted: as a claim that took over is given back.</summary>
    public ValueTask<IdempotencyFinish> LapseAsync(IdempotencyClaim claim) =>
        GiveBackAsync(claim, Math.Max(2, claim.Attempt), "lapsed");

    private async ValueTask<IdempotencyFinish> GiveBackAsync(IdempotencyClaim claim, int attempt, string how)
    {
        IdempotencyFinish finish = IdempotencyFinish.Unprotected;
        try
        {
            if (claim.IsProtected)
            {
                finish = await gate.Calls.ReleaseAsync(claim.Id, claim.Fence, attempt).ConfigureAwait(false) ? IdempotencyFinish.Kept : IdempotencyFinish.Lost;
                IdempotencyTelemetry.Ended(gate.Environment, finish == IdempotencyFinish.Kept ? how : "stale");
            }
        }
        catch (Exception failed)
        {
            finish = IdempotencyFinish.StoreFailed;
            IdempotencyTelemetry.NotKept(gate.Environment, claim, finish, failed);
        }
        finally
        {
            gate.Leave(claim, default);
        }

        return finish;
    }

    public void Hold(IdempotencyClaim claim)
    {
        if (gate.IsStopping && claim.IsProtected)
        {
            _ = LapseAsync(claim).AsTask(); // it leaves the table when the store knows, and StopAsync waits for that
            return;
        }

        try
        {
            IdempotencyTelemetry.Ended(gate.Environment, "held");
        }
        finally
        {
            gate.Leave(claim, default);
        }
    }

    /// <summary>Takes away what has expired, as long as there is more.</summary>
    internal async Task PurgeAsync()
    {
        const int Max = 1000, Rounds = 100;
        gate.Replays?.Sweep(gate.Clock.NowMs);
        try
        {
            for (int round = 0; round < Rounds && await gate.Calls.PurgeAsync(Max).ConfigureAwait(false) == Max; round++)
            {
                // as long as there is more
            }
        }
        catch (IdempotencyStoreException failed)
        {
            IdempotencyTelemetry.StoreFailed(gate.Environment, "purge", failed);
        }
    }
}
