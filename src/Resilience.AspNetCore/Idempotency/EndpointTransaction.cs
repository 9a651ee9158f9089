using System.Runtime.ExceptionServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Resilience.Idempotency;

/// <summary>One request to an endpoint whose rows and response are committed together: its transactions, one after another, and how the last one
/// ended.</summary>
/// <remarks>
/// <code>
/// begin ── endpoint ──┬── status below 400 ── record, the last statement ── COMMIT ──┬── acknowledged ──────────── send
///                     │                                                              └── lost ── ask the database ─┬── committed ──── send
///                     │                                                                                            ├── rolled back ── release, 503
///                     ├── any other status ── ROLLBACK ── keep, release or hold ── send                            └── no answer ──── hold, 503
///                     └── exception ───────── ROLLBACK ── release or hold ── the exception
/// </code>
/// </remarks>
internal sealed class EndpointTransaction(
    IdempotencyEndpointFilter protection, EndpointRun run, HeldResponse response, EndpointTransactionOptions terms, CancellationToken stop)
{
    /// <summary>How long the database is asked what became of a commit.</summary>
    private static readonly TimeSpan CommitWait = TimeSpan.FromSeconds(5);

    internal EndpointRun Run => run;

    /// <summary>True when code of the endpoint may have run.</summary>
    internal bool HasBegun { get; private set; }

    internal TransactionEnd End { get; private set; }

    /// <summary>The response of another caller that was first.</summary>
    internal IdempotencyResult Successors { get; private set; }

    private IdempotencyClaim Claim => run.Claim;

    /// <summary>The framework runs an action with the attribute once.</summary>
    private int Attempts => run.Context.GetEndpoint()?.Metadata.GetMetadata<RequireIdempotencyKeyAttribute>() is null ? terms.Attempts : 1;

    internal async ValueTask RunAsync(ITransactionalScope scope, Func<HttpContext, Task> next)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                End = await AttemptAsync(scope, next).ConfigureAwait(false);
            }
            finally
            {
                await scope.EndAsync().ConfigureAwait(false);
            }

            if (End != TransactionEnd.Conflict) return;
            if (Claim.IsInTransaction) Claim.RolledBack();
            if (attempt >= Attempts || stop.IsCancellationRequested || Claim.HasEnded) break;
            Forget(scope);
        }

        if (!Claim.HasEnded) await run.GiveBackAsync().ConfigureAwait(false);
    }

    private async ValueTask<TransactionEnd> AttemptAsync(ITransactionalScope scope, Func<HttpContext, Task> next)
    {
        try
        {
            await scope.BeginAsync(terms.IsolationLevel, stop).ConfigureAwait(false);
            await Claim.EnterTransactionAsync(scope.Transaction, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception busy) when (scope.Judge(busy) == TransactionFault.Conflict)
        {
            return TransactionEnd.Conflict;
        }

        HasBegun = true;
        try
        {
            await next(run.Context).ConfigureAwait(false);
            await response.EndAsync().ConfigureAwait(false);
        }
        catch (Exception error)
        {
            return await FailAsync(scope, error).ConfigureAwait(false);
        }

        if (scope.IsTaken) throw await TakenAsync(null).ConfigureAwait(false);
        return Commits ? await CommitAsync(scope).ConfigureAwait(false) : await RollBackAsync(scope).ConfigureAwait(false);
    }

    /// <summary>What the endpoint answers is what it wants to have done. One that ended its claim itself, in this transaction, has said so.</summary>
    private bool Commits => !run.Watch.HasAborted && (Claim.IsInTransaction || (terms.CommitWhen is { } chosen ? chosen(run.Status) : run.Status < 400));

    private async ValueTask<TransactionEnd> CommitAsync(ITransactionalScope scope)
    {
        if (Claim is { IsProtected: true, HasEnded: false } && await RecordAsync(scope).ConfigureAwait(false) is { } end) return end;
        try
        {
            await scope.CommitAsync().ConfigureAwait(false);
        }
        catch (Exception error) when (Claim.IsInTransaction)
        {
            TransactionFault fault = scope.Judge(error);
            await scope.EndAsync().ConfigureAwait(false); // or we would wait for ourselves
            return fault == TransactionFault.Conflict ? TransactionEnd.Conflict : await ResolveAsync().ConfigureAwait(false);
        }

        if (Claim.IsInTransaction) Claim.Committed();
        else if (!Claim.HasEnded) await FinishAsync().ConfigureAwait(false); // without protection
        return TransactionEnd.Sent;
    }

    /// <summary>Writes the record into the transaction, as its last statement. In a transaction that the database has broken off it fails, so that no success
    /// is told of rows that are not there.</summary>
    /// <returns>Null: it may be committed.</returns>
    private async ValueTask<TransactionEnd?> RecordAsync(ITransactionalScope scope)
    {
        (IdempotencyPayloadKind kind, byte[] record) = protection.Records.Encode(run);
        IdempotencyFinish finish;
        try
        {
            finish = await Claim.CompleteInAsync(scope.Transaction, kind, record, CancellationToken.None).ConfigureAwait(false);
        }
        catch (IdempotencyStoreException failed)
        {
            await scope.EndAsync().ConfigureAwait(false);
            if (Claim.IsPastPointOfNoReturn)
            {
                await Claim.CompleteAsUnknownAsync().ConfigureAwait(false);
                return TransactionEnd.NotCommitted;
            }

            if (scope.Judge(failed) == TransactionFault.Conflict) return TransactionEnd.Conflict;
            await run.GiveBackAsync().ConfigureAwait(false);
            return TransactionEnd.NotCommitted;
        }

        if (finish == IdempotencyFinish.Kept) return null;
        await scope.EndAsync().ConfigureAwait(false);
        if (await protection.ReadSuccessorsAsync(run.Context, Claim).ConfigureAwait(false) is not { } other) return TransactionEnd.Pending;
        Successors = other;
        return TransactionEnd.Replaced;
    }

    /// <summary>The acknowledgement of COMMIT was lost.</summary>
    private async ValueTask<TransactionEnd> ResolveAsync()
    {
        CommitResolution resolution = await Claim.ResolveCommitAsync(CommitWait).ConfigureAwait(false);
        if (resolution == CommitResolution.Committed) return TransactionEnd.Sent;
        if (resolution == CommitResolution.Unknown)
        {
            Claim.Hold();
            return TransactionEnd.Pending;
        }

        if (Claim.IsPastPointOfNoReturn) await Claim.CompleteAsUnknownAsync().ConfigureAwait(false);
        else await run.GiveBackAsync().ConfigureAwait(false);
        return TransactionEnd.NotCommitted;
    }

    /// <summary>There is no effect that the response would have to be at one with.</summary>
    private async ValueTask<TransactionEnd> RollBackAsync(ITransactionalScope scope)
    {
        await EndAsync(scope).ConfigureAwait(false);
        return Claim.HasEnded ? TransactionEnd.Sent : await FinishAsync().ConfigureAwait(false);
    }

    /// <summary>Rolls back. A claim that the endpoint completed in the transaction is open again.</summary>
    private async ValueTask EndAsync(ITransactionalScope scope)
    {
        await scope.EndAsync().ConfigureAwait(false);
        if (Claim.IsInTransaction) Claim.RolledBack();
    }

    private async ValueTask<TransactionEnd> FinishAsync()
    {
        if (await protection.FinishAsync(run, terms.HasNoEffectsElsewhere).ConfigureAwait(false) is not { } other) return TransactionEnd.Sent;
        Successors = other;
        return TransactionEnd.Replaced;
    }

    private async ValueTask<TransactionEnd> FailAsync(ITransactionalScope scope, Exception error)
    {
        if (scope.IsTaken) throw await TakenAsync(error).ConfigureAwait(false);
        TransactionFault fault = scope.Judge(error);
        await EndAsync(scope).ConfigureAwait(false);
        bool isPast = Claim.IsPastPointOfNoReturn, isOpen = !Claim.HasEnded;
        if (isOpen && fault == TransactionFault.Conflict && !isPast) return TransactionEnd.Conflict;
        bool isUndone = !isPast && (fault == TransactionFault.Database || terms.HasNoEffectsElsewhere);
        if (isOpen) await (isUndone ? run.GiveBackAsync().AsTask() : protection.EndAfterErrorAsync(run, error)).ConfigureAwait(false);
        ExceptionDispatchInfo.Throw(error);
        return default;
    }

    private async ValueTask<TransactionTakenException> TakenAsync(Exception? error)
    {
        if (!Claim.HasEnded || Claim.IsInTransaction) await Claim.CompleteAsUnknownAsync().ConfigureAwait(false);
        return new(error);
    }

    /// <summary>Before the endpoint runs again nothing is left of what it did: no entity of its context, no byte of its response, no part of the request
    /// that was read.</summary>
    private void Forget(ITransactionalScope scope)
    {
        HttpContext context = run.Context;
        scope.Forget();
        response.Clear();
        context.Response.Clear();
        foreach ((string name, StringValues values) in run.HeadersBefore) context.Response.Headers[name] = values;
        if (context.Request.Body.CanSeek) context.Request.Body.Position = 0;
        context.Features.Set<IRequestBodyPipeFeature>(new RequestBodyPipeFeature(context));
        run.Feature.HasBegun = false;
    }
}
