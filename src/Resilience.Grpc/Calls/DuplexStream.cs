using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Resilience.Grpc;

/// <summary>A stream of requests beside one of responses. It has ended when its reader has come to the end, when it broke, or when it is disposed of.</summary>
internal sealed class DuplexStream<TRequest, TResponse>
    : WholeStream<TRequest, TResponse, AsyncDuplexStreamingCall<TRequest, TResponse>>, IAsyncStreamReader<TResponse>
    where TRequest : class
    where TResponse : class
{
    private readonly Interceptor.AsyncDuplexStreamingCallContinuation<TRequest, TResponse> _continuation;

    internal DuplexStream(
        GrpcResilience resilience,
        in ClientInterceptorContext<TRequest, TResponse> context,
        Interceptor.AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation)
        : base(new(resilience, context)) => _continuation = continuation;

    public TResponse Current => Begun.Result.ResponseStream.Current; // it was waited for by MoveNext

    internal AsyncDuplexStreamingCall<TRequest, TResponse> Start()
    {
        _ = RunAsync();
        return new(this, this, HeadersAsync, _ => StatusOr(static c => c.GetStatus()), _ => TrailersOr(static c => c.GetTrailers()), _ => Leave(), this);
    }

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        AsyncDuplexStreamingCall<TRequest, TResponse> call = await Begun.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            bool hasOne = await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false);
            if (!hasOne) End();
            return hasOne;
        }
        catch (Exception error)
        {
            End(error as RpcException);
            throw;
        }
    }

    private protected override AsyncDuplexStreamingCall<TRequest, TResponse> Begin(ResilienceContext context, CancellationToken cancellationToken) =>
        _continuation(Frame.Of(context, cancellationToken));

    private protected override Status? StatusOf(AsyncDuplexStreamingCall<TRequest, TResponse> call) =>
        AttemptFailure.Read(call, static c => (Status?)c.GetStatus());

    private protected override IClientStreamWriter<TRequest> WriterOf(AsyncDuplexStreamingCall<TRequest, TResponse> call) => call.RequestStream;

    private protected override void Dispose(AsyncDuplexStreamingCall<TRequest, TResponse> call) => call.Dispose();

    private async Task<Metadata> HeadersAsync(object _) => await (await Begun.ConfigureAwait(false)).ResponseHeadersAsync.ConfigureAwait(false);
}
