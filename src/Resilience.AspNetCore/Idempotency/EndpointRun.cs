using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Resilience.Idempotency;

/// <summary>One execution of an endpoint under a key.</summary>
internal sealed record EndpointRun(
    HttpContext Context, IdempotencyClaim Claim, IdempotencyKey Key, ResponseBody Captured, AbortWatch Watch,
    Dictionary<string, StringValues> HeadersBefore, IdempotencyEndpointFilter Protection)
{
    internal IdempotencyFeature Feature { get; } = new(Claim, Key, Protection);

    internal int Status => Context.Response.StatusCode;

    internal async ValueTask<IdempotencyFinish> GiveBackAsync()
    {
        IdempotencyFinish finish = await Claim.ReleaseAsync().ConfigureAwait(false);
        Feature.IsGivenBack = finish == IdempotencyFinish.Kept;
        return finish;
    }

    /// <summary>True when it is known that no code of the endpoint ran: its parameters could not be bound.</summary>
    internal bool WasNotBegun => !Feature.HasBegun && BeginningWatch.Watches(Context.GetEndpoint());

    /// <summary>By the table; but that a form was rejected as a forgery, or that nothing could be made of the request before any code of the endpoint
    /// ran, says nothing of the request that follows; and a response that the endpoint itself broke off is no success.</summary>
    internal IdempotencyDisposition DispositionBy(IdempotencyEndpointOptions options)
    {
        bool isPast = Claim.IsPastPointOfNoReturn, isChosen = options.Statuses.ContainsKey(Status);
        if (Watch.HasAborted) return isPast || Context.Response.HasStarted ? IdempotencyDisposition.KeepAsOutcomeUnknown : IdempotencyDisposition.Hold;
        bool isForgery = Status == StatusCodes.Status400BadRequest && Context.Features.Get<IAntiforgeryValidationFeature>() is { IsValid: false };
        bool wasRejected = isForgery || (WasNotBegun && Status is >= 400 and < 500);
        return wasRejected && !isPast && !isChosen ? IdempotencyDisposition.Release : options.DispositionOf(Status, isPast);
    }

    /// <summary>A rejection is kept for a shorter time: nothing was carried out. Null: as long as any response.</summary>
    internal TimeSpan? RetentionBy(IdempotencyEndpointOptions options, TimeSpan retention)
    {
        bool isRejection = Status is >= 400 and < 500 && !Claim.IsPastPointOfNoReturn && !options.Statuses.ContainsKey(Status);
        return isRejection && options.ClientErrorRetention < retention ? options.ClientErrorRetention : null;
    }
}
