using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Resilience.Grpc;

/// <summary>A client stream: many requests, one response.</summary>
internal sealed class ClientStream<TRequest, TResponse> : WholeStream<TRequest, TResponse, AsyncClientStreamingCall<TRequest, TResponse>>
    where TRequest : class
    where TResponse : class
{
    private readonly Interceptor.AsyncClientStreamingCallContinuation<TRequest, TResponse> _continuation;

    internal ClientStream(
        GrpcResilience resilience,
        in ClientInterceptorContext<TRequest, TResponse> context,
        Interceptor.AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation)
        : base(new(resilience, context)) => _continuation = continuation;

    internal AsyncClientStreamingCall<TRequest, TResponse> Start()
    {
        _ = RunAsync();
        Task<TResponse> response = ResponseAsync();
        _ = response.ContinueWith(static failed => failed.Exception, TaskContinuationOptions.OnlyOnFaulted); // the caller may dispose of it without a look
        return new(
            this, response, HeadersAsync, _ => StatusOr(static c => c.GetStatus()), _ => TrailersOr(static c => c.GetTrailers()), _ => Leave(), this);
    }

    private protected override AsyncClientStreamingCall<TRequest, TResponse> Begin(ResilienceContext context, CancellationToken cancellationToken) =>
        _continuation(Frame.Of(context, cancellationToken));

    private protected override Status? StatusOf(AsyncClientStreamingCall<TRequest, TResponse> call) =>
        AttemptFailure.Read(call, static c => (Status?)c.GetStatus());

    private protected override IClientStreamWriter<TRequest> WriterOf(AsyncClientStreamingCall<TRequest, TResponse> call) => call.RequestStream;

    private protected override void Dispose(AsyncClientStreamingCall<TRequest, TResponse> call) => call.Dispose();

    private async Task<TResponse> ResponseAsync()
    {
        AsyncClientStreamingCall<TRequest, TResponse> call = await Begun.ConfigureAwait(false);
        try
        {
            TResponse response = await call.ResponseAsync.ConfigureAwait(false);
            End();
            return response;
        }
        catch (Exception error)
        {
            End(error as RpcException);
            throw;
        }
    }

    private async Task<Metadata> HeadersAsync(object _) => await (await Begun.ConfigureAwait(false)).ResponseHeadersAsync.ConfigureAwait(false);
}
