using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Grpc.Net.ClientFactory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.DependencyInjection;

/// <summary>A pipeline of the user's in place of the standard one, over a real server: the verdicts of gRPC stay.</summary>
public sealed class AddGrpcPipelineTests
{
    private static void Again(RetryOptions options) => (options.MaxRetries, options.BaseDelay, options.MaxDelay) = (2, TimeSpan.Zero, TimeSpan.Zero);

    private static ServiceProvider Client(Uri address, Action<IHttpClientBuilder> more)
    {
        ServiceCollection services = new();
        more(services.AddGrpcClient<Orders.OrdersClient>(o => o.Address = address));
        return services.BuildServiceProvider();
    }

    private static async Task<int> AttemptsAsync(OrdersServer server, Func<Order, AsyncUnaryCall<Receipt>> call, StatusCode code, Metadata? trailers = null)
    {
        OrderPlan plan = server.PlanFailure(code, trailers);
        (await Assert.ThrowsAnyAsync<RpcException>(() => call(plan.Order).ResponseAsync)).StatusCode.Should().Be(code);
        return plan.Requests;
    }

    /// <summary>Which status is repeated, and for which method, is the table's matter and not that of the user's retry.</summary>
    [Theory]
    [InlineData(StatusCode.Unavailable, true, null, 3)]
    [InlineData(StatusCode.Unavailable, false, null, 1)]
    [InlineData(StatusCode.InvalidArgument, true, null, 1)]
    [InlineData(StatusCode.DataLoss, true, null, 1)]
    [InlineData(StatusCode.InvalidArgument, false, "0", 3)]
    [InlineData(StatusCode.Unavailable, true, "-1", 1)]
    public async Task The_verdicts_of_gRPC_hold_in_a_pipeline_of_ones_own(StatusCode code, bool isIdempotent, string? pushback, int attempts)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        await using ServiceProvider services = Client(server.Address, b => b.AddGrpcPipeline(
            p => p.AddGrpcRetry(Again).AddCircuitBreaker(), o => o.Idempotent(Orders.Descriptor)));
        Orders.OrdersClient client = services.GetRequiredService<Orders.OrdersClient>();
        Metadata? trailers = pushback is null ? null : new() { { "grpc-retry-pushback-ms", pushback } };
        (await AttemptsAsync(server, o => isIdempotent ? client.GetAsync(o) : client.PlaceAsync(o), code, trailers)).Should().Be(attempts);
        GrpcTarget own = services.GetRequiredKeyedService<GrpcResilience>("OrdersClient").Own;
        own.Pipeline.Name.Should().Be($"OrdersClient/{server.Address.Authority}");
        own.Pipeline.Describe().Policies.Select(p => p.Role).Should().Equal(PolicyRole.Retry, PolicyRole.CircuitBreaker);
        own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(code == StatusCode.InvalidArgument ? 0 : attempts);
    }

    [Fact]
    public async Task Rules_of_the_pipeline_come_before_the_table()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        await using ServiceProvider services = Client(server.Address, b => b.AddGrpcPipeline(
            (p, provider) => p.Classify(rules =>
                rules.On<RpcException>(e => e.StatusCode == StatusCode.Aborted && provider is not null ? Verdict.Failure : null)).AddGrpcRetry(Again),
            o => o.Idempotent("/shop.Orders/Get")));
        Orders.OrdersClient client = services.GetRequiredService<Orders.OrdersClient>();
        (await AttemptsAsync(server, o => client.GetAsync(o), StatusCode.Aborted)).Should().Be(3);
        (await AttemptsAsync(server, o => client.GetAsync(o), StatusCode.Unavailable)).Should().Be(3);
    }

    /// <summary>The server tells the wait, which is zero here, and the next one is the first of the backoff again.</summary>
    [Fact]
    public async Task The_retry_of_gRPC_begins_its_backoff_anew_after_a_pushback()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        List<TimeSpan> waits = [];
        await using ServiceProvider services = Client(server.Address, b => b.AddGrpcPipeline(p => p.AddGrpcRetry(o =>
        {
            (o.MaxRetries, o.Jitter, o.BaseDelay, o.Factor, o.MaxDelay) = (3, BackoffJitter.None, TimeSpan.FromMilliseconds(1), 10, TimeSpan.FromSeconds(1));
            o.OnRetry = (_, wait) => waits.Add(wait);
        }), o => o.Idempotent(Orders.Descriptor)));
        OrderPlan plan = server.Plan(n => throw new RpcException(new(StatusCode.Unavailable, "planned"),
            n == 1 ? new() { { "grpc-retry-pushback-ms", "5" } } : []));
        await Assert.ThrowsAsync<RpcException>(() => services.GetRequiredService<Orders.OrdersClient>().GetAsync(plan.Order).ResponseAsync);
        waits.Select(w => w.TotalMilliseconds).Should().Equal(1, 5, 1);
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 3)]
    public async Task A_server_stream_has_the_circuit_of_the_unary_calls_and_what_is_said_for_streams(bool saysStreams, int attempts)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        await using ServiceProvider services = Client(server.Address, b => b.AddGrpcPipeline(
            p => p.AddTimeout(TimeSpan.FromSeconds(20)).AddGrpcRetry(Again).AddCircuitBreaker(),
            o => o.Idempotent(Orders.Descriptor).Streams = saysStreams ? (streams, unary) => streams.AddGrpcRetry(Again).AddCircuitBreaker(
                unary.Find<CircuitBreaker>()!) : null));
        GrpcTarget own = services.GetRequiredKeyedService<GrpcResilience>("OrdersClient").Own;
        OrderPlan plan = server.PlanStream((_, _, _, _) => throw new RpcException(new(StatusCode.Unavailable, "planned")));
        using AsyncServerStreamingCall<Receipt> call = services.GetRequiredService<Orders.OrdersClient>().Watch(plan.Order);
        await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        plan.Requests.Should().Be(attempts);
        own.CircuitBreaker!.TakeSnapshot().Failures.Should().Be(attempts);
        own.Whole.Describe().Policies.Select(p => p.Role).Should().Equal(PolicyRole.CircuitBreaker);
    }

    /// <summary>Without a container, with a clock: streams are on it too.</summary>
    [Fact]
    public async Task Without_a_container_it_is_made_by_Custom()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using GrpcChannel channel = server.NewChannel();
        FakeTimeProvider time = new();
        GrpcResilience resilience = GrpcResilience.Custom(
            p => p.AddGrpcRetry(Again), "orders", new GrpcPipelineOptions { FirstMessageTimeout = TimeSpan.FromSeconds(3) }.Idempotent(Orders.Descriptor), b =>
                b.TimeProvider = time);
        Orders.OrdersClient client = new(channel.Intercept(new ResilienceInterceptor(resilience)));
        (await AttemptsAsync(server, o => client.GetAsync(o), StatusCode.Unavailable)).Should().Be(3);
        resilience.Own.Beginning.Describe().Settings.Should().Contain(s => s.Key == "time provider" && s.Value == nameof(FakeTimeProvider));
        resilience.Own.Beginning.Describe().Policies.Single().Timeout.Should().Be(TimeSpan.FromSeconds(3));
        resilience.Invoking(r => r.Update(new())).Should().Throw<InvalidOperationException>().WithMessage("*pipelines of its Targets*");
        FluentActions.Invoking(() => GrpcResilience.Custom(_ => { }, options: new() { MaxTargets = 0 })).Should().Throw<ResilienceOptionsException>()
            .WithMessage("*MaxTargets*");
    }

    [Fact]
    public async Task It_is_one_registration_of_the_client_beside_the_standard_pipeline()
    {
        await using ServiceProvider services = Client(new("http://localhost"), b => b.AddGrpcResilience().AddGrpcPipeline(p => p.AddRetry()));
        services.Invoking(Start).Should().Throw<OptionsValidationException>().WithMessage("*2 times*RemoveGrpcResilience*");
        await using ServiceProvider replaced = Client(new("http://localhost"), b => b.AddGrpcResilience().RemoveGrpcResilience().AddGrpcPipeline(
            p => p.AddRetry()));
        Start(replaced);
        await using ServiceProvider wrong = Client(new("http://localhost"), b => b.AddGrpcPipeline(p => p.AddRetry(o => o.MaxRetries = -7)));
        wrong.Invoking(Start).Should().Throw<OptionsValidationException>().WithMessage("*OrdersClient*MaxRetries*");
    }

    /// <summary>How often the user's chain repeats is read from its policies, those of nested pipelines too.</summary>
    [Theory]
    [InlineData("none", null)]
    [InlineData("retry", "up to 3 × 3 attempts")]
    [InlineData("hedging", "up to 3 × 2 attempts")]
    [InlineData("nested", "up to 3 × 3 attempts")]
    [InlineData("accepted", null)]
    public async Task A_service_config_that_repeats_is_found_below_a_pipeline_of_ones_own(string policies, string? finding)
    {
        await using ServiceProvider services = Client(new("http://localhost"), b => b.ConfigureChannel(
            o => o.ServiceConfig = Configs.Repeating()).AddGrpcPipeline(p => _ = policies switch
            {
                "none" => p.AddCircuitBreaker(),
                "hedging" => p.AddHedging(o => o.MaxAttempts = 2),
                "nested" => p.AddPipeline(new ResiliencePipelineBuilder().AddGrpcRetry(Again).Build()),
                _ => p.AddGrpcRetry(Again),
            }, o =>
            {
                if (policies == "accepted") o.AcceptedWarnings.Add("RES020");
            }));
        if (finding is null) Start(services);
        else services.Invoking(Start).Should().Throw<OptionsValidationException>().WithMessage($"*OrdersClient*RES020*{finding}*add no retry here*");
        services.GetRequiredService<GrpcResilienceProvider>().GetResilience("OrdersClient").IsHedged.Should().Be(policies == "hedging");
    }

    private static void Start(IServiceProvider services) => services.GetRequiredService<IStartupValidator>().Validate();
}
