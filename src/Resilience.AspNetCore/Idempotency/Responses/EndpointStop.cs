using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Timeouts;

namespace Resilience.Idempotency;

/// <summary>What stops an endpoint under a key: the claim is lost, the request's timeout has passed (<c>WithRequestTimeout</c>, the default policy), and,
/// where that was asked for, a client that leaves in the middle of a stream. Nothing else: a client that leaves does not.</summary>
internal sealed class EndpointStop : IDisposable
{
    private readonly CancellationTokenSource? _stop;
    private readonly CancellationToken _client;
    private readonly CapturedResponse? _stream;
    private readonly CancellationTokenRegistration _left;

    /// <param name="context">The request, with the token that its client cancels by leaving.</param>
    /// <param name="claim">Its claim.</param>
    /// <param name="stream">The response, if it is to be stopped when it streams and its client leaves.</param>
    internal EndpointStop(HttpContext context, IdempotencyClaim claim, CapturedResponse? stream)
    {
        // The timeout alone: the token of the request, in whose place the framework puts one of its own, is cancelled by the client too.
        CancellationToken timeout = context.Features.Get<IHttpRequestTimeoutFeature>()?.RequestTimeoutToken ?? default;
        Token = claim.LeaseLost;
        if (!timeout.CanBeCanceled && stream is null) return;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(claim.LeaseLost, timeout);
        Token = _stop.Token;
        if (stream is null) return;
        (_client, _stream) = (context.RequestAborted, stream);
        _left = _client.UnsafeRegister(static s => ((EndpointStop)s!).StopStream(), this);
        stream.Passes = StopStream;
    }

    internal CancellationToken Token { get; }

    public void Dispose()
    {
        _left.Dispose();
        _stop?.Dispose();
    }

    /// <summary>Its client has left, or it has become a stream: whichever is the later.</summary>
    private void StopStream()
    {
        if (_stream!.IsPassing && _client.IsCancellationRequested) _stop!.Cancel();
    }
}
