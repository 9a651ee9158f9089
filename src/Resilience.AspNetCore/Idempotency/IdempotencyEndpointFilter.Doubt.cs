using Microsoft.AspNetCore.Http;

namespace Resilience.Idempotency;

/// <content>Outcomes that are found out afterwards, and claims that the endpoint ended itself.</content>
internal sealed partial class IdempotencyEndpointFilter
{
    /// <summary>How long the database is asked what became of a transaction.</summary>
    private static readonly TimeSpan CommitWait = TimeSpan.FromSeconds(5);

    /// <summary>Asks the application what happened, records what it found, and enters anew.</summary>
    private async Task<IdempotencyResult> ReconcileAsync(HttpContext context, IdempotencyKey key, Fingerprint fingerprint, IdempotencyResult unknown)
    {
        if (options.Reconcile is not { } reconcile) return unknown;
        IdempotencyId id = key.ToId();
        try
        {
            // The fence first: what is found is found about this record, and not about one that is in doubt anew when it is told.
            PeekResult seen = await gate.PeekAsync(id).ConfigureAwait(false);
            if (seen.State is IdempotencyState.OutcomeUnknown or IdempotencyState.Lapsed)
            {
                if (await reconcile(context, key).ConfigureAwait(false) is not { } finding) return unknown;
                byte[]? record = finding.Response is { } response ? await _records.EncodeAsync(context, id, response).ConfigureAwait(false) : null;
                IdempotencyResolution resolution = record is null
                    ? IdempotencyResolution.NotDone
                    : IdempotencyResolution.DoneWith(IdempotencyPayloadKind.HttpResponse, record);
                await gate.ResolveAsync(id, resolution with { OnlyIfFence = seen.Fence }).ConfigureAwait(false);
            }
        }
        catch (Exception failed) when (!context.RequestAborted.IsCancellationRequested)
        {
            IdempotencyLog.ReconcilingFailed(context, id, failed);
            return unknown;
        }

        return await gate.EnterAsync(id, fingerprint, context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>The endpoint ended its claim itself: it is not completed again.</summary>
    /// <returns>True when the request was answered here; false when the response of the endpoint is to be sent, or its claim to be judged.</returns>
    private async Task<bool> FinishEndedAsync(EndpointRun run)
    {
        (HttpContext context, IdempotencyClaim claim) = (run.Context, run.Claim);
        if (!claim.IsInTransaction)
        {
            if (!run.Feature.WasLost || context.Response.HasStarted) return false;
            if (await ReadSuccessorsAsync(context, claim).ConfigureAwait(false) is { } other)
            {
                await AnswerAsync(context, claim.Id, other).ConfigureAwait(false);
                return true;
            }

            // The other one has no outcome yet, and what the endpoint says of rows that it rolled back is none.
            context.Response.Clear();
            await IdempotencyProblems.OutcomePendingAsync(context, options).ConfigureAwait(false);
            return true;
        }

        CommitResolution resolution = await claim.ResolveCommitAsync(CommitWait).ConfigureAwait(false);
        bool wasRolledBack = resolution == CommitResolution.RolledBack;

        // A rejection after a rollback is judged as any other: there are no rows to be at one with.
        if (resolution == CommitResolution.Committed || (wasRolledBack && run.Status >= 400)) return false;
        if (!wasRolledBack) claim.Hold();
        else if (claim.IsPastPointOfNoReturn) await claim.CompleteAsUnknownAsync().ConfigureAwait(false);
        else await run.GiveBackAsync().ConfigureAwait(false);
        if (context.Response.HasStarted) return false;
        context.Response.Clear();
        await (wasRolledBack
            ? IdempotencyProblems.NotCommittedAsync(context, options)
            : IdempotencyProblems.OutcomePendingAsync(context, options)).ConfigureAwait(false);
        return true;
    }

    /// <summary>After an exception: whether there is nothing left to decide about the claim. A transaction whose commit has failed is asked about.</summary>
    private static async Task<bool> HasEndedForGoodAsync(IdempotencyClaim claim)
    {
        if (!claim.IsInTransaction) return true;
        CommitResolution resolution = await claim.ResolveCommitAsync(CommitWait).ConfigureAwait(false);
        if (resolution == CommitResolution.RolledBack) return false;
        if (resolution == CommitResolution.Unknown) claim.Hold();
        return true;
    }
}
