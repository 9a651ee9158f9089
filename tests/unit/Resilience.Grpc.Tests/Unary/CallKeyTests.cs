using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace Resilience.Tests.Unary;

/// <summary>Calls of methods that are idempotent by key: each call has one key, whatever becomes of its attempts.</summary>
public sealed class CallKeyTests
{
    private const string Place = "/shop.Orders/Place";

    private static GrpcResilienceOptions Options(Action<GrpcResilienceOptions>? change = null)
    {
        GrpcResilienceOptions options = new() { Retry = new() { MaxRetries = 3, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero } };
        options.IdempotentByKey(Place);
        change?.Invoke(options);
        return options;
    }

    private static Orders.OrdersClient Client(GrpcChannel channel, GrpcResilienceOptions options) =>
        new(channel.Intercept(new ResilienceInterceptor(GrpcResilience.Standard("orders", options))));

    private static string?[] KeysOf(OrderPlan plan) => [.. plan.Headers.Select(h => h.GetValue("idempotency-key"))];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task All_attempts_of_a_call_have_one_key_and_the_next_call_has_another(bool isBlocking)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(n => n % 3 < 2 ? throw new RpcException(new(StatusCode.Unavailable, "planned")) : n);
        Orders.OrdersClient client = Client(channel, Options());
        Metadata mine = new() { { "mine", "1" } };

        for (int i = 0; i < 2; i++) _ = isBlocking ? await Task.Run(() => client.Place(plan.Order, mine)) : await client.PlaceAsync(plan.Order, mine);

        string?[] keys = KeysOf(plan);
        keys.Should().HaveCount(6).And.NotContainNulls();
        keys.Take(3).Distinct().Should().ContainSingle().And.NotBeEquivalentTo(keys.Skip(3).Distinct());
        keys.Skip(3).Distinct().Should().ContainSingle();
        plan.Headers.Should().OnlyContain(h => h.GetValue("mine") == "1");
        mine.Should().ContainSingle("what the caller gave stays as it was");
    }

    [Fact]
    public async Task A_key_of_the_caller_stays_and_methods_that_were_not_named_get_none()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan placed = server.Plan(n => n), got = server.Plan(n => n), put = server.Plan(n => n);
        Orders.OrdersClient client = Client(channel, Options(o => o.Idempotent(Orders.Descriptor).IdempotentByKey("/shop.Orders/*")));

        await client.PlaceAsync(placed.Order, new Metadata { { "idempotency-key", "mine" } });
        await client.PlaceAsync(placed.Order);
        await client.GetAsync(got.Order);
        await client.PutAsync(put.Order);

        KeysOf(placed)[0].Should().Be("mine");
        Guid.TryParse(KeysOf(placed)[1], out _).Should().BeTrue();
        KeysOf(got).Concat(KeysOf(put)).Should().Equal([null, null], "these are declared idempotent: they need none");
    }

    [Fact]
    public async Task A_stream_gets_no_key()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.PlanStream((_, _, writer, _) => writer.WriteAsync(new() { Number = 1 }));
        using AsyncServerStreamingCall<Receipt> stream = Client(channel, Options(o => o.IdempotentByKey("/shop.Orders/Follow"))).Follow(plan.Order);

        (await stream.ResponseStream.MoveNext(default)).Should().BeTrue();

        KeysOf(plan).Should().Equal([null]);
    }

    [Fact]
    public async Task Keys_are_made_as_the_options_say_once_for_each_call()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(n => n == 0 ? throw new RpcException(new(StatusCode.Unavailable, "planned")) : n);
        int made = 0;
        Orders.OrdersClient client = Client(channel, Options(o => o.GenerateKey = m => $"{m.Name}-{++made}"));

        await client.PlaceAsync(plan.Order);

        KeysOf(plan).Should().Equal("Place-1", "Place-1");
        Orders.OrdersClient none = Client(channel, Options(o => o.GenerateKey = _ => null));
        await none.PlaceAsync(plan.Order);
        KeysOf(plan)[2].Should().BeNull();
    }

    [Fact]
    public async Task Keys_that_follow_from_an_inbound_one_are_the_same_each_time_and_differ_by_caller_and_method()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(n => n);
        IdempotencyKey inbound = new("ann", "order-1");
        Orders.OrdersClient client = Client(channel, Options(o => o.IdempotentByKey("/shop.Orders/Put").FromInbound = _ => inbound));

        await client.PlaceAsync(plan.Order);
        await client.PlaceAsync(plan.Order);
        await client.PutAsync(plan.Order);
        inbound = new("bob", "order-1");
        await client.PlaceAsync(plan.Order);

        string?[] keys = KeysOf(plan);
        keys[1].Should().Be(keys[0]).And.NotContain("order-1");
        keys.Distinct().Should().HaveCount(3);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a,b")]
    [InlineData("ä")]
    [InlineData("a\"b")]
    [InlineData("<256>")]
    public async Task A_generated_key_that_is_none_is_the_callers_error_and_nothing_is_sent(string key)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        OrderPlan plan = server.Plan(n => n);
        Orders.OrdersClient client = Client(channel, Options(o => o.GenerateKey = _ => key == "<256>" ? new('k', 256) : key));

        (await client.Awaiting(c => c.PlaceAsync(plan.Order).ResponseAsync).Should().ThrowAsync<ArgumentException>())
            .Which.Message.Should().Contain("idempotency-key");
        plan.Requests.Should().Be(0);
    }

    [Fact]
    public void A_path_that_names_no_method_is_told_with_its_option() =>
        FluentActions.Invoking(() => GrpcResilience.Standard("orders", new GrpcResilienceOptions().IdempotentByKey("Place")))
            .Should().Throw<ResilienceOptionsException>().WithMessage("*IdempotentByKey*Place*");
}
