using Resilience.Chaos;

namespace Resilience.Http;

/// <summary>Stands next to the wire, so that everything around it takes what it injects for real.</summary>
internal sealed class HttpChaosHandler(ResiliencePipeline<HttpResponseMessage> pipeline, ChaosSwitch chaos) : DelegatingHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        chaos.IsOn ? DisturbAsync(request, isSynchronous: false, cancellationToken) : base.SendAsync(request, cancellationToken);

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) => chaos.IsOn
        ? DisturbAsync(request, isSynchronous: true, cancellationToken).GetAwaiter().GetResult()
        : base.Send(request, cancellationToken);

    private async Task<HttpResponseMessage> DisturbAsync(HttpRequestMessage request, bool isSynchronous, CancellationToken cancellationToken)
    {
        Outcome<HttpResponseMessage> outcome = await pipeline.TryExecuteAsync(
            HttpChaos.OptionsOf(request),
            static (context, call) => new ValueTask<HttpResponseMessage>(call.isSynchronous
                ? Task.FromResult(call.handler.GoOn(call.request, context.CancellationToken))
                : call.handler.GoOnAsync(call.request, context.CancellationToken)),
            (handler: this, request, isSynchronous),
            cancellationToken).ConfigureAwait(false);
        return outcome.GetValueOrThrow();
    }

    private Task<HttpResponseMessage> GoOnAsync(HttpRequestMessage request, CancellationToken cancellationToken) => base.SendAsync(request, cancellationToken);

    private HttpResponseMessage GoOn(HttpRequestMessage request, CancellationToken cancellationToken) => base.Send(request, cancellationToken);
}
