using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Resilience.Tests.Unary;

/// <summary>New credentials within the attempt that was answered UNAUTHENTICATED.</summary>
public sealed class GrpcCredentialTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private int _asked;
    private volatile string _token = "old";

    private GrpcResilienceOptions Options(Func<IMethod, CancellationToken, ValueTask<bool>>? refresh = null, Action<GrpcResilienceOptions>? more = null)
    {
        GrpcResilienceOptions options = new()
        {
            Retry = new() { MaxRetries = 3, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero },
            RefreshCredentials = async (method, token) =>
            {
                Interlocked.Increment(ref _asked);
                return refresh is null ? Renew() : await refresh(method, token);
            },
        };
        more?.Invoke(options);
        return options;
    }

    private bool Renew()
    {
        _token = "new";
        return true;
    }

    /// <summary>Inside the pipeline, as applications have it: an interceptor that puts what there is on each attempt.</summary>
    private Orders.OrdersClient Client(GrpcChannel channel, GrpcResilience resilience) => new(
        channel.Intercept(headers =>
        {
            headers.Add("authorization", _token);
            return headers;
        }).Intercept(new ResilienceInterceptor(resilience)));

    private static OrderPlan Guarded(OrdersServer server) => server.Plan((n, context) =>
        context.RequestHeaders.GetValue("authorization") == "new" ? Task.FromResult(n) : throw new RpcException(new(StatusCode.Unauthenticated, "old")));

    /// <summary>Both forms of a unary call, of a method that must not be made twice.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task UNAUTHENTICATED_is_sent_once_more_within_the_attempt_and_costs_no_retry_and_moves_no_circuit(bool isBlocking)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = Guarded(server);
        List<ResilienceEvent> events = [];
        GrpcResilience resilience = GrpcResilience.Standard("orders", Options(), b => b.OnEvent(events.Add));
        Orders.OrdersClient client = Client(channel, resilience);

        Receipt receipt = isBlocking ? await Task.Run(() => client.Place(plan.Order)) : await client.PlaceAsync(plan.Order);

        (receipt.Number, plan.Requests, _asked).Should().Be((1, 2, 1));
        events.Should().NotContain(e => e is RetryScheduled || e is RetryStopped);
        plan.Headers[1].GetValue("grpc-previous-rpc-attempts").Should().BeNull("it is the same attempt");
        CircuitSnapshot circuit = resilience.Own.CircuitBreaker!.TakeSnapshot();
        (circuit.Calls, circuit.Failures).Should().Be((1, 0));
    }

    [Fact]
    public async Task A_server_stream_is_begun_once_more()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanStream((n, _, writer, context) => context.RequestHeaders.GetValue("authorization") == "new"
            ? writer.WriteAsync(new() { Number = n })
            : throw new RpcException(new(StatusCode.Unauthenticated, "old")));
        using AsyncServerStreamingCall<Receipt> stream = Client(channel, GrpcResilience.Standard("orders", Options())).Follow(plan.Order);

        (await stream.ResponseStream.MoveNext(default).WaitAsync(Bound)).Should().BeTrue();

        (stream.ResponseStream.Current.Number, plan.Requests, _asked).Should().Be((1, 2, 1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Where_there_are_none_the_answer_is_the_callers(bool throws)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = Guarded(server);
        Orders.OrdersClient client = Client(channel, GrpcResilience.Standard("orders", Options((_, _) => throws ? throw new FormatException() : new(false))));

        (await client.Awaiting(c => c.GetAsync(plan.Order).ResponseAsync).Should().ThrowAsync<RpcException>())
            .Which.StatusCode.Should().Be(StatusCode.Unauthenticated);

        (plan.Requests, _asked).Should().Be((1, 1));
    }

    [Fact]
    public async Task They_are_asked_for_once_in_a_call_and_not_where_the_server_pushes_back()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan always = server.PlanFailure(StatusCode.Unauthenticated),
            pushing = server.PlanFailure(StatusCode.Unauthenticated, new() { { "grpc-retry-pushback-ms", "-1" } });
        Orders.OrdersClient client = Client(channel, GrpcResilience.Standard("orders", Options()));

        await client.Awaiting(c => c.GetAsync(always.Order).ResponseAsync).Should().ThrowAsync<RpcException>();
        (always.Requests, _asked).Should().Be((2, 1));
        await client.Awaiting(c => c.GetAsync(pushing.Order).ResponseAsync).Should().ThrowAsync<RpcException>();
        (pushing.Requests, _asked).Should().Be((1, 1));
    }

    [Fact]
    public async Task Twenty_calls_at_once_ask_once_and_all_are_sent_again()
    {
        const int Calls = 20;
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        TaskCompletionSource allRejected = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int rejected = 0;
        OrderPlan plan = server.Plan(async (n, context) =>
        {
            if (context.RequestHeaders.GetValue("authorization") == "new") return n;
            if (Interlocked.Increment(ref rejected) == Calls) allRejected.SetResult();
            await allRejected.Task.WaitAsync(Bound); // all were sent with the old ones
            throw new RpcException(new(StatusCode.Unauthenticated, "old"));
        });
        Orders.OrdersClient client = Client(channel, GrpcResilience.Standard("orders", Options()));

        await Task.WhenAll(Enumerable.Range(0, Calls).Select(_ => client.PlaceAsync(plan.Order).ResponseAsync)).WaitAsync(Bound);

        (plan.Requests, _asked).Should().Be((2 * Calls, 1));
    }

    [Fact]
    public async Task Without_it_the_answer_comes_as_it_is()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = Guarded(server);
        Orders.OrdersClient client = Client(channel, GrpcResilience.Standard("orders", Options(more: o => o.RefreshCredentials = null)));

        (await client.Awaiting(c => c.GetAsync(plan.Order).ResponseAsync).Should().ThrowAsync<RpcException>())
            .Which.StatusCode.Should().Be(StatusCode.Unauthenticated);

        plan.Requests.Should().Be(1);
    }
}
