using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>What stops a method under a key: the claim is lost, or the timeout of the request has passed (<c>WithRequestTimeout</c>, the default policy).
/// Nothing else: a client that leaves does not, nor does its deadline.</summary>
internal sealed class CallStop : IDisposable
{
    private readonly CancellationTokenSource? _stop;

    internal CallStop(HttpContext http, IdempotencyClaim claim)
    {
        CancellationToken timeout = http.Features.Get<IHttpRequestTimeoutFeature>()?.RequestTimeoutToken ?? default;
        if (timeout.CanBeCanceled) _stop = CancellationTokenSource.CreateLinkedTokenSource(claim.LeaseLost, timeout);
        Token = _stop?.Token ?? claim.LeaseLost;
    }

    internal CancellationToken Token { get; }

    public void Dispose() => _stop?.Dispose();
}
