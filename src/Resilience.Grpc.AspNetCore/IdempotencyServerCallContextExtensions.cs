using System.Data.Common;
using Grpc.Core;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>What a method can know of its key.</summary>
public static class IdempotencyServerCallContextExtensions
{
    /// <summary>The claim of this call: its fence, keys derived from it, its point of no return. Null when it is not protected by a key.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
    public static IdempotencyClaim? GetIdempotencyClaim(this ServerCallContext context) => FeatureOf(context)?.Claim;

    /// <summary>The key of this call with its scope, to derive keys of further calls from. Null when it is not protected by a key.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
    public static IdempotencyKey? GetIdempotencyKey(this ServerCallContext context) => FeatureOf(context)?.Key;

    /// <summary>Records in a transaction of the method's own that the call was carried out, with its response and the trailers that were set so far: rows and
    /// answer are committed together, or neither is. Make it the last statement; then commit, call <see cref="IdempotencyClaim.Committed"/>, and return the
    /// same response. It is not recorded again, and duplicates receive it.</summary>
    /// <param name="context">The call.</param>
    /// <param name="transaction">An open transaction on the database of the store.</param>
    /// <param name="response">The response message.</param>
    /// <param name="cancellationToken">Ends the wait; roll back then.</param>
    /// <returns>Kept, when you may commit; lost, when another claim took the place of this one: roll back, and return anything. The caller receives what the
    /// other one recorded, and as long as that is nothing, <c>UNAVAILABLE</c> with the time to come back.</returns>
    /// <remarks>If the commit throws, let it come out. If the commit is not reported, the database is asked: a response that was rolled back is not sent as a
    /// success (<c>UNAVAILABLE</c>, <c>not-committed</c>), and while the database does not answer it is <c>outcome-pending</c>; both may be repeated with the
    /// same key.</remarks>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">The response is not of the type that the method returns.</exception>
    /// <exception cref="InvalidOperationException">The call is not protected by a key, or the claim was ended before.</exception>
    /// <exception cref="NotSupportedException">The store has no transactions.</exception>
    /// <exception cref="IdempotencyStoreException">The store did not take it: roll back.</exception>
    public static async ValueTask<IdempotencyFinish> CompleteIdempotencyKeyInAsync(
        this ServerCallContext context, DbTransaction transaction, object response, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(response);
        KeyedRun run = FeatureOf(context) as KeyedRun ?? throw new InvalidOperationException("This call is not protected by an idempotency key.");
        byte[] record = run.Encode(response, context.ResponseTrailers);
        IdempotencyFinish finish = await run.Claim
            .CompleteInAsync(transaction, IdempotencyPayloadKind.GrpcAnswer, record, cancellationToken).ConfigureAwait(false);
        run.WasLost = finish == IdempotencyFinish.Lost;
        return finish;
    }

    private static IIdempotencyFeature? FeatureOf(ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.GetHttpContext().Features.Get<IIdempotencyFeature>();
    }
}
