using System.Data.Common;
using Resilience.Idempotency;

namespace Microsoft.AspNetCore.Http;

/// <summary>What an endpoint can know of its key.</summary>
public static class IdempotencyHttpContextExtensions
{
    /// <summary>The claim of this request: its fence, keys derived from it, its point of no return. Null when it is not protected by a key.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
    public static IdempotencyClaim? GetIdempotencyClaim(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Features.Get<IIdempotencyFeature>()?.Claim;
    }

    /// <summary>Records in a transaction of the endpoint's own that the request was carried out, with its response: rows and response are committed
    /// together, or neither is. Make it the last statement; then commit, call <see cref="IdempotencyClaim.Committed"/>, and return the same
    /// response. It is not recorded again, and duplicates receive it.</summary>
    /// <param name="context">The request.</param>
    /// <param name="transaction">An open transaction on the database of the store.</param>
    /// <param name="response">The response. It is written into memory here, and not sent.</param>
    /// <param name="cancellationToken">Ends the wait; roll back then.</param>
    /// <returns>Kept, when you may commit; lost, when another claim took the place of this one: roll back, and return anything. The caller receives
    /// what the other one recorded, and as long as that is nothing, 503 <c>outcome-pending</c>.</returns>
    /// <remarks>If the commit throws, let it come out. If the commit is not reported, the database is asked: a response that was rolled back
    /// is not sent as a success (503 <c>not-committed</c>), and while the database does not answer it is 503 <c>outcome-pending</c>; both may be
    /// repeated with the same key.</remarks>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="InvalidOperationException">The request is not protected by a key, or the claim was ended before.</exception>
    /// <exception cref="NotSupportedException">The store has no transactions.</exception>
    /// <exception cref="IdempotencyStoreException">The store did not take it: roll back.</exception>
    public static async ValueTask<IdempotencyFinish> CompleteIdempotencyKeyInAsync(
        this HttpContext context, DbTransaction transaction, IResult response, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(response);
        IdempotencyFeature feature = context.Features.Get<IdempotencyFeature>()
            ?? throw new InvalidOperationException("This request is not protected by an idempotency key.");
        byte[] record = await feature.Endpoint.Records.EncodeAsync(context, feature.Claim.Id, response).ConfigureAwait(false);
        IdempotencyFinish finish = await feature.Claim
            .CompleteInAsync(transaction, IdempotencyPayloadKind.HttpResponse, record, cancellationToken).ConfigureAwait(false);
        feature.WasLost = finish == IdempotencyFinish.Lost;
        return finish;
    }

    /// <summary>The key of this request with its scope, to derive keys of further calls from (<c>IdempotencyKeyOptions.FromInbound</c>). Null when it is
    /// not protected by a key.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
    public static IdempotencyKey? GetIdempotencyKey(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Features.Get<IIdempotencyFeature>()?.Key;
    }
}
