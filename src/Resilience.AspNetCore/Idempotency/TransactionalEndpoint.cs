using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Idempotency;

/// <summary>A request to an endpoint whose rows and response are committed together.</summary>
internal sealed class TransactionalEndpoint(IdempotencyEndpointFilter protection, IdempotencyEndpointOptions options)
{
    /// <summary>Begins the transaction, runs the endpoint with its response held back, records the response as the last statement, and commits. Only then is a
    /// byte sent.</summary>
    internal async Task ExecuteAsync(
        HttpContext context, IdempotencyClaim claim, IdempotencyKey key, Type on, Func<HttpContext, Task> next)
    {
        ITransactionalScopeFactory factory = context.RequestServices.GetRequiredKeyedService<ITransactionalScopeFactory>(on);
        EndpointTransactionOptions terms = options.Transaction;
        IHttpResponseBodyFeature inner = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        CancellationToken aborted = context.RequestAborted;
        await using ConfiguredAsyncDisposable owned = claim.ConfigureAwait(false);
        using HeldBytes held = new(terms.MaxHeldBytes);
        HeldResponse response = new(context, inner, held, options.MaxResponseBodyBytes);
        using EndpointStop stop = new(context, claim, null);
        using AbortWatch watch = new(context.Features);
        EndpointRun run = new(context, claim, key, response, watch, KeptHeaders.Before(context.Response), protection);
        EndpointTransaction transaction = new(protection, run, response, terms, stop.Token);
        context.Features.Set<IHttpResponseBodyFeature>(response);
        context.Features.Set(run.Feature);
        context.Features.Set<IIdempotencyFeature>(run.Feature);
        context.RequestAborted = stop.Token;
        if (!claim.IsProtected) context.Response.Headers[IdempotencyProblems.StatusHeader] = "bypassed";
        try
        {
            await factory.RunAsync(context.RequestServices, scope => transaction.RunAsync(scope, next)).ConfigureAwait(false);
        }
        catch (Exception) when (!transaction.HasBegun)
        {
            // No code of the endpoint has run: the database could not be asked, or its circuit is open.
            if (!claim.HasEnded) await run.GiveBackAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            context.RequestAborted = aborted;
            context.Features.Set(inner);
        }

        await AnswerAsync(transaction, response).ConfigureAwait(false);
    }

    private async Task AnswerAsync(EndpointTransaction transaction, HeldResponse response)
    {
        HttpContext context = transaction.Run.Context;
        switch (transaction.End)
        {
            case TransactionEnd.Sent:
                await response.SendAsync().ConfigureAwait(false);
                break;
            case TransactionEnd.Replaced:
                await protection.AnswerAsync(context, transaction.Run.Claim.Id, transaction.Successors).ConfigureAwait(false);
                break;
            case TransactionEnd.Pending:
                context.Response.Clear();
                await IdempotencyProblems.OutcomePendingAsync(context, options).ConfigureAwait(false);
                break;
            default:
                context.Response.Clear();
                await IdempotencyProblems.NotCommittedAsync(context, options).ConfigureAwait(false);
                break;
        }
    }
}
