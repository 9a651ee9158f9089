using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Resilience.Tests.Allocation;

namespace Resilience.Tests.Unary;

/// <summary>What a unary call costs over an interceptor that does nothing but what ours must do too, in bytes: with a transport in memory, all of a call happens on
/// one thread.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class OverheadTests
{
    /// <summary>Over one that hands the call on, without a look at how it ends.</summary>
    private const int MaxOverPassing = 400;

    /// <summary>Over one that awaits the response, as one does that logs or measures calls.</summary>
    private const int MaxOverWatching = 0;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_unary_call_allocates_little_over_a_bare_interceptor(bool suspends)
    {
        SynchronizationContext? former = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null); // with one, a continuation would go to another thread
        try
        {
            using Memory transport = new();
            using GrpcChannel channel = GrpcChannel.ForAddress("http://memory", new() { HttpHandler = transport });
            double passing = Measure(channel, new Bare(watches: false), transport, suspends), watching = Measure(channel, new Bare(watches: true), transport, suspends);
            double ours = Measure(channel, new ResilienceInterceptor(GrpcResilience.Standard("orders")), transport, suspends);
            (ours - watching).Should().BeLessThanOrEqualTo(MaxOverWatching, "bytes of a call: ours {0}, watching {1}, passing {2}", ours, watching, passing);
            (ours - passing).Should().BeLessThanOrEqualTo(MaxOverPassing, "bytes of a call: ours {0}, watching {1}, passing {2}", ours, watching, passing);
            (ours - passing).Should().BePositive("what is measured is our own");
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(former);
        }
    }

    private static double Measure(GrpcChannel channel, Interceptor interceptor, Memory transport, bool suspends)
    {
        Orders.OrdersClient client = new(channel.Intercept(interceptor));
        Order order = new() { Id = "1" };
        transport.Suspends = false;
        client.GetAsync(order).ResponseAsync.Wait(TimeSpan.FromSeconds(60)).Should().BeTrue("the channel is connected from now on");
        transport.Suspends = suspends;
        return Allocated.BytesPerRun(() => Call(client, order, transport), 200);
    }

    private static void Call(Orders.OrdersClient client, Order order, Memory transport)
    {
        AsyncUnaryCall<Receipt> call = client.GetAsync(order);
        transport.Answer();
        if (!call.ResponseAsync.IsCompletedSuccessfully) throw new InvalidOperationException($"The call has not ended: {call.ResponseAsync.Exception}");
    }

    private sealed class Bare(bool watches) : Interceptor
    {
        /// <summary>As ours are, one that can be cancelled.</summary>
        private static readonly CancellationToken Token = new CancellationTokenSource().Token;

        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            AsyncUnaryCall<TResponse> call = continuation(
                request, new(context.Method, context.Host, context.Options.WithDeadline(DateTime.UtcNow.AddSeconds(7)).WithCancellationToken(Token)));
            return watches ? new(WatchAsync(call.ResponseAsync), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose) : call;
        }

        private static async Task<TResponse> WatchAsync<TResponse>(Task<TResponse> response) => await response.ConfigureAwait(false);
    }

    /// <summary>Answers each call with an empty receipt, at once or when it is told to.</summary>
    private sealed class Memory : HttpMessageHandler
    {
        internal bool Suspends { get; set; }

        private TaskCompletionSource<HttpResponseMessage>? _waiting;

        internal void Answer() => Interlocked.Exchange(ref _waiting, null)?.SetResult(Response());

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (!Suspends) return Task.FromResult(Response());
            _waiting = new();
            return _waiting.Task;
        }

        private static HttpResponseMessage Response()
        {
            HttpResponseMessage response = new(HttpStatusCode.OK) { Version = HttpVersion.Version20, Content = new ByteArrayContent([0, 0, 0, 0, 0]) };
            response.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
            response.TrailingHeaders.Add("grpc-status", "0");
            return response;
        }
    }
}
