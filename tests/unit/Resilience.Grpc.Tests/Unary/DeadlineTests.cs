using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Resilience.Tests.Unary;

/// <summary>Whose time is up, what the server is told of it, and what it means.</summary>
public sealed class DeadlineTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    private static GrpcResilienceOptions Options(Action<GrpcResilienceOptions>? change = null)
    {
        GrpcResilienceOptions options = new() { Retry = new() { MaxRetries = 2, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero } };
        options.Idempotent(Orders.Descriptor);
        change?.Invoke(options);
        return options;
    }

    private static (Orders.OrdersClient Client, GrpcResilience Resilience) Client(GrpcChannel channel, GrpcResilienceOptions options)
    {
        GrpcResilience resilience = GrpcResilience.Standard("orders", options);
        return (new(channel.Intercept(new ResilienceInterceptor(resilience))), resilience);
    }

    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 1)]
    public async Task An_attempt_whose_own_time_is_up_is_repeated_if_the_method_is_idempotent_and_counts(bool isIdempotent, int attempts)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(async (_, c) => { await server.Find(IdOf(c)).Hang(c); return 1; });
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel, Options(o => o.AttemptTimeout = TimeSpan.FromMilliseconds(300)));
        Metadata id = new() { { "id", plan.Id } };
        AsyncUnaryCall<Receipt> call = isIdempotent ? client.GetAsync(plan.Order, id) : client.PlaceAsync(plan.Order, id);
        GrpcResilienceException failed = await Assert.ThrowsAsync<GrpcResilienceException>(() => call.ResponseAsync.WaitAsync(Bound));
        failed.StatusCode.Should().Be(StatusCode.DeadlineExceeded);
        failed.IsTimeout.Should().BeTrue();
        failed.InnerException.Should().BeOfType<TimedOutException>().Which.PolicyName.Should().Be("attempt-timeout");
        call.GetStatus().StatusCode.Should().Be(StatusCode.DeadlineExceeded);
        resilience.Own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(attempts);
        plan.Requests.Should().BeLessThanOrEqualTo(attempts, "on a busy machine the time may be up before the request has come");
    }

    [Fact]
    public async Task The_callers_deadline_ends_the_call_is_not_repeated_and_counts()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(async (_, c) => { await server.Find(IdOf(c)).Hang(c); return 1; });
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel, Options());
        AsyncUnaryCall<Receipt> call = client.GetAsync(plan.Order, new() { { "id", plan.Id } }, DateTime.UtcNow.AddMilliseconds(300));
        RpcException failed = await Assert.ThrowsAnyAsync<RpcException>(() => call.ResponseAsync.WaitAsync(Bound));
        failed.StatusCode.Should().Be(StatusCode.DeadlineExceeded);
        plan.Requests.Should().BeLessThanOrEqualTo(1);
        CircuitSnapshot circuit = resilience.Own.CircuitBreaker!.TakeSnapshot();
        (circuit.Calls, circuit.Failures).Should().Be((1, 1));
    }

    [Fact]
    public async Task A_deadline_that_has_passed_sends_nothing_and_says_nothing_of_the_server()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(n => n);
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel, Options());
        foreach (DateTime deadline in new[] { DateTime.UtcNow.AddSeconds(-1), DateTime.MinValue })
        {
            RpcException failed = await Assert.ThrowsAnyAsync<RpcException>(() => client.GetAsync(plan.Order, deadline: deadline).ResponseAsync.WaitAsync(Bound));
            failed.StatusCode.Should().Be(StatusCode.DeadlineExceeded);
        }

        plan.Requests.Should().Be(0);
        resilience.Own.CircuitBreaker!.TakeSnapshot().Calls.Should().Be(0);
    }

    [Fact]
    public async Task A_deadline_of_another_kind_than_UTC_is_the_librarys_error()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        (Orders.OrdersClient client, _) = Client(channel, Options());
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await client.GetAsync(server.Plan(n => n).Order, deadline: DateTime.Now.AddSeconds(5)));
        (await client.GetAsync(server.Plan(n => n + 1).Order, deadline: DateTime.MaxValue)).Number.Should().Be(1);
    }

    /// <summary>What the server is told is never more than what is left, by the caller, of the total, and for the attempt.</summary>
    [Theory]
    [InlineData(null, 40.0, 20.0, 20)]
    [InlineData(10.0, 40.0, 20.0, 10)]
    [InlineData(30.0, 40.0, 20.0, 20)]
    [InlineData(null, 15.0, null, 15)]
    [InlineData(25.0, null, null, 25)]
    public async Task The_server_is_told_the_least_of_what_is_left(double? deadline, double? total, double? attempt, double most)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(n => n > 0 ? n : throw new RpcException(new(StatusCode.Unavailable, "planned")));
        (Orders.OrdersClient client, _) = Client(channel, Options(o =>
        {
            o.TotalTimeout = total is { } t ? TimeSpan.FromSeconds(t) : null;
            o.AttemptTimeout = attempt is { } a ? TimeSpan.FromSeconds(a) : null;
        }));
        DateTime begun = DateTime.UtcNow;
        await client.GetAsync(plan.Order, deadline: deadline is { } d ? begun.AddSeconds(d) : null);
        DateTime ended = DateTime.UtcNow;
        plan.Requests.Should().Be(2);

        // The server adds what it was told to its own clock, which is ours here: between the beginning and the end of the call.
        TimeSpan coarse = TimeSpan.FromMilliseconds(100);
        plan.Deadlines.Should().OnlyContain(seen => seen <= ended + TimeSpan.FromSeconds(most) + coarse && seen >= begun + TimeSpan.FromSeconds(most / 2));
    }

    /// <summary>Ours and the library's timers are set to the same moment: whichever comes first, a hang is counted, and as the same.</summary>
    [Fact]
    public async Task A_hang_is_counted_whichever_timer_comes_first()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(async (_, c) => { await server.Find(IdOf(c)).Hang(c); return 1; });
        (Orders.OrdersClient client, GrpcResilience resilience) = Client(channel, Options(o =>
        {
            o.Retry = null;
            o.CircuitBreaker = new() { MinimumCalls = 1000 };
            o.AttemptTimeout = TimeSpan.FromMilliseconds(200);
        }));
        RpcException[] failed = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ =>
            Assert.ThrowsAnyAsync<RpcException>(() => client.PlaceAsync(plan.Order, new Metadata { { "id", plan.Id } }).ResponseAsync.WaitAsync(Bound))));
        failed.Should().OnlyContain(e => e.StatusCode == StatusCode.DeadlineExceeded && e.InnerException is TimedOutException);
        resilience.Own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(60);
    }

    private static string IdOf(ServerCallContext context) => context.RequestHeaders.GetValue("id")!;
}
