using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Resilience.Overload;

namespace Resilience.Tests.Unary;

/// <summary>What servers of gRPC are told of the request on whose behalf they are called.</summary>
public sealed class PropagationTests
{
    private static Orders.OrdersClient Client(GrpcChannel channel, string target, Action<GrpcResilienceOptions>? change = null)
    {
        GrpcResilienceOptions options = new() { Retry = new() { MaxRetries = 2, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero } };
        options.Idempotent(Orders.Descriptor);
        change?.Invoke(options);
        return new(channel.Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders", options, target: target))));
    }

    private static readonly string[] Names = ["x-request-criticality", "x-request-attempt", "grpc-previous-rpc-attempts"];

    private static string[] Told(OrderPlan plan) => [.. plan.Headers.Select(static h => string.Join('/', Names.Select(h.GetValue)))];

    [Theory]
    [InlineData("localhost:5001", true)]
    [InlineData("catalog", true)]
    [InlineData("catalog.example.org:443", false)]
    [InlineData("", false)]
    public async Task Our_own_servers_hear_the_class_and_the_attempts(string target, bool isTold)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(static n => n == 0 ? throw new RpcException(new(StatusCode.Unavailable, "planned")) : 1);
        using RequestScope scope = RequestContext.Begin(new() { Criticality = Criticality.Sheddable, Attempt = 2 });
        await Client(channel, target).GetAsync(plan.Order, new Metadata { { "id", plan.Id } });
        Told(plan).Should().Equal(isTold ? ["sheddable/2/", "sheddable/3/1"] : ["//", "//1"]);
    }

    [Fact]
    public async Task Who_is_told_can_be_said_and_what_the_caller_has_set_stays()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(static _ => 1);
        Metadata id = new() { { "id", plan.Id } }, own = new() { { "id", plan.Id }, { "x-request-criticality", "critical-plus" } };
        Orders.OrdersClient client = Client(channel, "10.0.0.1:80", static o => o.PropagateTo = static host => host == "10.0.0.1:80");
        Orders.OrdersClient throwing = Client(channel, "10.0.0.1:80", static o => o.PropagateTo = static _ => throw new IOException("planted"));
        await client.GetAsync(plan.Order, id);
        using RequestScope scope = RequestContext.Begin(default);
        await client.GetAsync(plan.Order, id);
        await client.GetAsync(plan.Order, own);
        await throwing.GetAsync(plan.Order, id);
        Told(plan).Should().Equal("//", "critical//", "critical-plus//", "//");
    }

    [Fact]
    public async Task A_call_has_the_earlier_deadline_and_so_has_a_stream()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        Orders.OrdersClient client = Client(channel, "", static o => o.TotalTimeout = o.AttemptTimeout = null);
        OrderPlan plan = server.Plan(static _ => 1);
        Metadata id = new() { { "id", plan.Id } };
        using RequestScope scope = RequestContext.Begin(new() { Timeout = TimeSpan.FromMinutes(10) });
        DateTime before = DateTime.UtcNow;
        await client.GetAsync(plan.Order, id, before.AddHours(1));
        await client.GetAsync(plan.Order, id, before.AddMinutes(1));
        plan.Deadlines.Select(d => Math.Round((d - before).TotalMinutes)).Should().Equal(10, 1);
        OrderPlan stream = server.PlanStream(static (_, _, _, _) => Task.CompletedTask);
        using AsyncServerStreamingCall<Receipt> call = client.Watch(stream.Order, id);
        (await call.ResponseStream.MoveNext(default)).Should().BeFalse();
        stream.Deadlines.Select(d => Math.Round((d - before).TotalMinutes)).Should().Equal(10);
    }
}
