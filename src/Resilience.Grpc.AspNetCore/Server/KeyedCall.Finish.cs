using Grpc.Core;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <content>What is recorded when the method has ended, before its caller hears of it.</content>
internal sealed partial class KeyedCall<TRequest, TResponse>
{
    /// <summary>How long the database is asked what became of a transaction.</summary>
    private static readonly TimeSpan CommitWait = TimeSpan.FromSeconds(5);

    /// <summary>Records the answer before it is sent, so that a caller who has seen it will see it again.</summary>
    /// <returns>The answer of another caller that took over and was first; null when ours is the one to send.</returns>
    /// <exception cref="RpcException">The method ended its claim in a transaction that was not committed.</exception>
    private async Task<IdempotencyResult?> FinishAsync(IdempotencyClaim claim, KeyedCallContext inner, MethodOutcome outcome)
    {
        if (claim.HasEnded)
        {
            if (!claim.IsInTransaction) return _run!.WasLost && outcome.Error is null ? await SuccessorsAsync(claim).ConfigureAwait(false) : null;
            bool isToBeJudged = outcome.Error is null
                ? await IsToBeJudgedAsync(claim, inner).ConfigureAwait(false)
                : !await HasEndedForGoodAsync(claim).ConfigureAwait(false);
            if (!isToBeJudged) return null;
        }

        IdempotencyFinish finish = await RecordAsync(claim, AnswerOf(inner, outcome), outcome.Error).ConfigureAwait(false);
        if (finish is IdempotencyFinish.Kept or IdempotencyFinish.Unprotected) return null;
        if (finish == IdempotencyFinish.Lost && await ReadSuccessorsAsync(claim).ConfigureAwait(false) is { } other) return other;
        context.ResponseTrailers.Add(GrpcProblems.StatusTrailer, "unrecorded");
        return null;
    }

    private async Task<IdempotencyFinish> RecordAsync(IdempotencyClaim claim, GrpcAnswer? answer, Exception? error)
    {
        bool isPast = claim.IsPastPointOfNoReturn;
        IdempotencyDisposition disposition = answer is { } given
            ? _options.DispositionOf(given.Status.StatusCode, isPast)
            : _options.Outcomes.DispositionOf(error!, isPast);
        switch (disposition)
        {
            case IdempotencyDisposition.Keep when answer is not null:
                (IdempotencyPayloadKind kind, byte[] record) = _records.Encode(http, claim.Id, answer);
                return await (RetentionOf(answer, isPast) is { } shorter
                    ? claim.CompleteAsync(kind, record, shorter)
                    : claim.CompleteAsync(kind, record)).ConfigureAwait(false);
            case IdempotencyDisposition.KeepAsOutcomeUnknown when answer is not null:
                (IdempotencyPayloadKind unknownKind, byte[] unknownRecord) = _records.Encode(http, claim.Id, answer);
                return await claim.CompleteAsUnknownAsync(unknownKind, unknownRecord).ConfigureAwait(false);
            case IdempotencyDisposition.Keep or IdempotencyDisposition.KeepAsOutcomeUnknown: // an exception that is no answer cannot be replayed
                return await claim.CompleteAsUnknownAsync().ConfigureAwait(false);
            case IdempotencyDisposition.Release:
                return await GiveBackAsync(claim).ConfigureAwait(false);
            default:
                claim.Hold();
                return IdempotencyFinish.Kept;
        }
    }

    /// <summary>What the caller is about to be answered; null: an exception that is no answer of the method's own.</summary>
    private GrpcAnswer? AnswerOf(KeyedCallContext inner, MethodOutcome outcome) => outcome.Error is { } error
        ? _records.Thrown(error, inner.ResponseTrailers)
        : _records.Returned(outcome.Response, inner.Status, inner.ResponseTrailers);

    /// <summary>A rejection is kept for a shorter time: nothing was carried out. Null: as long as any answer.</summary>
    private TimeSpan? RetentionOf(GrpcAnswer answer, bool isPast)
    {
        bool isRejection = answer.Status.StatusCode != StatusCode.OK && !isPast && !_options.Statuses.ContainsKey(answer.Status.StatusCode);
        return isRejection && _options.ClientErrorRetention < _gate.Retention ? _options.ClientErrorRetention : null;
    }

    private async Task<IdempotencyFinish> GiveBackAsync(IdempotencyClaim claim)
    {
        IdempotencyFinish finish = await claim.ReleaseAsync().ConfigureAwait(false);
        _run!.IsGivenBack = finish == IdempotencyFinish.Kept;
        return finish;
    }

    /// <summary>What was recorded by who took the place of the claim; null when there is nothing yet.</summary>
    private async Task<IdempotencyResult?> ReadSuccessorsAsync(IdempotencyClaim claim)
    {
        IdempotencyResult other = await _gate.ReadOutcomeAsync(claim.Id, claim.Fingerprint).ConfigureAwait(false);
        return other.Status is IdempotencyStatus.Replayed or IdempotencyStatus.OutcomeUnknown ? other : null;
    }

    /// <summary>As above, of a method whose rows were rolled back: what it says of them is no answer.</summary>
    private async Task<IdempotencyResult?> SuccessorsAsync(IdempotencyClaim claim) =>
        await ReadSuccessorsAsync(claim).ConfigureAwait(false) ?? throw GrpcProblems.OutcomePending();

    /// <summary>The method completed its key in a transaction and returned.</summary>
    /// <returns>True: it was rolled back, and the method says so, which is judged as any rejection; false: it was committed.</returns>
    private async Task<bool> IsToBeJudgedAsync(IdempotencyClaim claim, KeyedCallContext inner)
    {
        CommitResolution resolution = await claim.ResolveCommitAsync(CommitWait).ConfigureAwait(false);
        if (resolution == CommitResolution.Committed) return false;
        bool wasRolledBack = resolution == CommitResolution.RolledBack;
        if (wasRolledBack && inner.Status.StatusCode != StatusCode.OK) return true;
        if (!wasRolledBack) claim.Hold();
        else if (claim.IsPastPointOfNoReturn) await claim.CompleteAsUnknownAsync().ConfigureAwait(false);
        else await GiveBackAsync(claim).ConfigureAwait(false);
        throw wasRolledBack ? GrpcProblems.NotCommitted() : GrpcProblems.OutcomePending();
    }

    /// <summary>After an exception: whether there is nothing left to decide about the claim. A transaction whose commit has failed is asked about.</summary>
    private static async Task<bool> HasEndedForGoodAsync(IdempotencyClaim claim)
    {
        CommitResolution resolution = await claim.ResolveCommitAsync(CommitWait).ConfigureAwait(false);
        if (resolution == CommitResolution.RolledBack) return false;
        if (resolution == CommitResolution.Unknown) claim.Hold();
        return true;
    }

    /// <summary>Asks the application what happened, records what it found, and enters anew.</summary>
    private async Task<IdempotencyResult> ReconcileAsync(IdempotencyKey key, Fingerprint fingerprint, IdempotencyResult unknown)
    {
        if (_options.Reconcile is not { } reconcile) return unknown;
        IdempotencyId id = key.ToId();
        try
        {
            // The fence first: what is found is found about this record, and not about one that is in doubt anew when it is told.
            PeekResult seen = await _gate.PeekAsync(id).ConfigureAwait(false);
            if (seen.State is IdempotencyState.OutcomeUnknown or IdempotencyState.Lapsed)
            {
                if (await reconcile(context, key).ConfigureAwait(false) is not { } finding) return unknown;
                await _gate.ResolveAsync(id, _records.ResolutionOf(http, id, finding) with { OnlyIfFence = seen.Fence }).ConfigureAwait(false);
            }
        }
        catch (Exception failed) when (!context.CancellationToken.IsCancellationRequested)
        {
            GrpcIdempotencyLog.ReconcilingFailed(http, id, failed);
            return unknown;
        }

        return await _gate.EnterAsync(id, fingerprint, context.CancellationToken).ConfigureAwait(false);
    }
}
