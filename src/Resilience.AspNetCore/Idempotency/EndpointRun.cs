using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Resilience.Idempotency;

/// <summary>One execution of an endpoint under a key.</summary>
internal sealed record EndpointRun(
    HttpContext Context, IdempotencyClaim Claim, IdempotencyKey Key, CapturedResponse Captured, AbortWatch Watch,
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
}
