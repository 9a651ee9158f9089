using System.Net;

namespace Resilience.Http;

/// <summary>The body of one attempt whose bytes come from somewhere: stops the reading when they are no longer wanted, and has them kept
/// where the body keeps them.</summary>
internal sealed class SourceContent : AttemptContent
{
    private readonly SourceBody _body;
    private readonly CancellationToken _attempt;
    private readonly CancellationTokenSource _stop = new();

    /// <param name="body">The body that the attempts of the call have in common.</param>
    /// <param name="callers">The caller's token, which outlives the attempt.</param>
    /// <param name="attempt">The token of the attempt.</param>
    internal SourceContent(SourceBody body, CancellationToken callers, CancellationToken attempt)
        : base(body.Content, callers)
    {
        _body = body;
        _attempt = attempt;
    }

    /// <inheritdoc/>
    internal override CancellationTokenRegistration StopWith(CancellationToken token) => token.CanBeCanceled
        ? token.UnsafeRegister(static stop => ((CancellationTokenSource)stop!).Cancel(), _stop)
        : default;

    protected override void Stop() => _stop.Cancel();

    protected override async Task SendAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration byCaller = StopWith(Callers);
        using CancellationTokenRegistration byHandler = cancellationToken == _attempt ? default : StopWith(cancellationToken);
        if (_body.Kept is { } kept)
        {
            await stream.WriteAsync(kept, _stop.Token).ConfigureAwait(false);
            return;
        }

        ReplayBuffer? tee = _body.BeginSending(stream);
        await Original.CopyToAsync(tee ?? stream, context, _stop.Token).ConfigureAwait(false);
        tee?.Complete(_stop.IsCancellationRequested);
    }

    protected override void Send(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration byCaller = StopWith(Callers);
        using CancellationTokenRegistration byHandler = cancellationToken == _attempt ? default : StopWith(cancellationToken);
        if (_body.Kept is { } kept)
        {
            stream.Write(kept.Span);
            return;
        }

        ReplayBuffer? tee = _body.BeginSending(stream);
        Original.CopyTo(tee ?? stream, context, _stop.Token);
        tee?.Complete(_stop.IsCancellationRequested);
    }
}
