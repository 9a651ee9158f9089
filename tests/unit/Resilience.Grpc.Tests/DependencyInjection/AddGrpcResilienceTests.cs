using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;
using Grpc.Net.ClientFactory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;

namespace Resilience.Tests.DependencyInjection;

public sealed class AddGrpcResilienceTests
{
    private static void Fast(GrpcResilienceOptions options) =>
        options.Idempotent(Orders.Descriptor).Retry = new() { MaxRetries = 2, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero };

    private static (ServiceProvider Services, IHttpClientBuilder Builder) Client(OrdersServer server, Action<IHttpClientBuilder>? more = null, Action<IServiceCollection>? before = null)
    {
        ServiceCollection services = new();
        services.AddLogging();
        before?.Invoke(services);
        IHttpClientBuilder builder = services.AddGrpcClient<Orders.OrdersClient>(o => o.Address = server.Address);
        more?.Invoke(builder);
        return (services.BuildServiceProvider(), builder);
    }

    [Fact]
    public async Task A_client_of_the_factory_is_repeated_and_its_circuit_is_found_by_its_name()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        (ServiceProvider services, _) = Client(server, b => b.AddGrpcResilience(Fast));
        await using ServiceProvider held = services;
        OrderPlan plan = server.Plan(n => n < 2 ? throw new RpcException(new(StatusCode.Unavailable, "planned")) : n);
        (await services.GetRequiredService<Orders.OrdersClient>().GetAsync(plan.Order)).Number.Should().Be(2);
        GrpcResilience resilience = services.GetRequiredService<GrpcResilienceProvider>().GetResilience("OrdersClient");
        resilience.Should().BeSameAs(services.GetRequiredKeyedService<GrpcResilience>("OrdersClient"));
        resilience.Own.Name.Should().Be(server.Address.Authority);
        resilience.Own.Pipeline.Name.Should().Be($"OrdersClient/{server.Address.Authority}");
        resilience.Own.CircuitBreaker!.TakeSnapshot().Calls.Should().Be(3);
    }

    [Fact]
    public async Task It_stands_outside_of_the_interceptors_of_the_channel_whenever_they_were_added()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        int before = 0, after = 0, around = 0;
        (ServiceProvider services, _) = Client(server, b => b
            .AddInterceptor(() => new Counting(() => before++)).AddGrpcResilience(Fast).AddInterceptor(() => new Counting(() => after++))
            .AddInterceptor(InterceptorScope.Client, () => new Counting(() => around++)));
        await using ServiceProvider held = services;
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        await Assert.ThrowsAsync<RpcException>(() => services.GetRequiredService<Orders.OrdersClient>().GetAsync(plan.Order).ResponseAsync);
        (before, after, around).Should().Be((3, 3, 1));
    }

    [Fact]
    public async Task Events_go_to_the_log_and_to_the_listeners_of_the_container()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        FakeLogCollector logs = new();
        (ServiceProvider services, _) = Client(
            server, b => b.AddGrpcResilience(Fast), s => s.AddLogging(l => l.AddProvider(new FakeLoggerProvider(logs)).SetMinimumLevel(LogLevel.Debug)));
        await using ServiceProvider held = services;
        List<ResilienceEvent> heard = [];
        using IDisposable listening = services.GetRequiredService<ResilienceEvents>().Subscribe(e => { lock (heard) heard.Add(e); });
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        await Assert.ThrowsAsync<RpcException>(() => services.GetRequiredService<Orders.OrdersClient>().GetAsync(plan.Order).ResponseAsync);
        heard.OfType<RetryScheduled>().Should().HaveCount(2).And.OnlyContain(e => e.Reason == "UNAVAILABLE" && e.Operation == "/shop.Orders/Get");
        logs.GetSnapshot().Should().Contain(l => l.Category == "Resilience" && l.Message.Contains("OrdersClient", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Defaults_hold_for_gRPC_clients_and_what_is_said_of_one_client_overrides_them()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        foreach ((Action<IHttpClientBuilder>? own, int requests) in new (Action<IHttpClientBuilder>?, int)[]
        {
            (null, 3), (b => b.AddGrpcResilience(o => o.Retry = null), 1), (b => b.RemoveGrpcResilience(), 1),
            (b => b.AddGrpcResilience().RemoveGrpcResilience().AddGrpcResilience(Fast), 3),
        })
        {
            (ServiceProvider services, _) = Client(server, own, s => s.ConfigureHttpClientDefaults(d => d.AddGrpcResilience(Fast)));
            await using ServiceProvider held = services;
            OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
            await Assert.ThrowsAsync<RpcException>(() => services.GetRequiredService<Orders.OrdersClient>().GetAsync(plan.Order).ResponseAsync);
            plan.Requests.Should().Be(requests);
            services.GetRequiredService<IHttpClientFactory>().CreateClient("plain").Dispose(); // no gRPC client: nothing is done to it
        }
    }

    [Fact]
    public async Task Said_twice_is_an_error_at_start_and_when_the_client_is_made()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        (ServiceProvider services, _) = Client(server, b => b.AddGrpcResilience().AddGrpcResilience());
        await using ServiceProvider held = services;
        services.Invoking(s => s.GetRequiredService<Orders.OrdersClient>()).Should().Throw<InvalidOperationException>().WithMessage("*OrdersClient*2 times*RemoveGrpcResilience*");
        services.Invoking(Start).Should().Throw<OptionsValidationException>().WithMessage("*2 times*");
    }

    [Fact]
    public async Task Wrong_options_are_all_said_at_start()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        (ServiceProvider services, _) = Client(server, b => b.AddGrpcResilience(o => (o.MaxTargets, o.AttemptTimeout) = (0, TimeSpan.Zero)));
        await using ServiceProvider held = services;
        services.Invoking(Start).Should().Throw<OptionsValidationException>().WithMessage("*OrdersClient*MaxTargets*").WithMessage("*AttemptTimeout*");
    }

    /// <summary>The library's own retries would multiply with ours.</summary>
    [Theory]
    [InlineData("retry", true)]
    [InlineData("hedging", true)]
    [InlineData("none", false)]
    public async Task A_service_config_that_repeats_is_an_error_at_start_unless_it_is_accepted(string policy, bool isError)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        void Configure(IHttpClientBuilder builder) => builder.ConfigureChannel(o => o.ServiceConfig = new() { MethodConfigs = { Config(policy) } });
        (ServiceProvider services, _) = Client(server, b => Configure(b.AddGrpcResilience()));
        await using ServiceProvider held = services;
        if (!isError)
        {
            Start(services);
            return;
        }

        services.Invoking(Start).Should().Throw<OptionsValidationException>().WithMessage("*OrdersClient*RES020*all services*Retry to null*");
        services.Invoking(s => s.GetRequiredService<Orders.OrdersClient>()).Should().Throw<OptionsValidationException>().WithMessage("*RES020*");
        foreach (Action<GrpcResilienceOptions> allowed in new Action<GrpcResilienceOptions>[] { o => o.AcceptedWarnings.Add("RES020"), o => o.Retry = null, o => o.Retry!.MaxRetries = 0 })
        {
            (ServiceProvider accepted, _) = Client(server, b => Configure(b.AddGrpcResilience(allowed)));
            await using ServiceProvider heldToo = accepted;
            Start(accepted);
            accepted.GetRequiredService<Orders.OrdersClient>();
        }

        static MethodConfig Config(string policy) => new()
        {
            Names = { MethodName.Default },
            RetryPolicy = policy == "retry"
                ? new() { MaxAttempts = 3, InitialBackoff = TimeSpan.FromMilliseconds(1), MaxBackoff = TimeSpan.FromMilliseconds(1), BackoffMultiplier = 1, RetryableStatusCodes = { StatusCode.Unavailable } }
                : null,
            HedgingPolicy = policy == "hedging" ? new() { MaxAttempts = 2 } : null,
        };
    }

    [Fact]
    public async Task The_service_config_of_a_resolver_is_not_taken_where_we_repeat()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        foreach ((Action<GrpcResilienceOptions> change, bool isDisabled) in new (Action<GrpcResilienceOptions>, bool)[] { (_ => { }, true), (o => o.Retry = null, false) })
        {
            bool? seen = null;
            (ServiceProvider services, _) = Client(server, b => b.AddGrpcResilience(change), s => s.PostConfigureAll<GrpcClientFactoryOptions>(_ => { }));
            await using ServiceProvider held = services;
            GrpcClientFactoryOptions options = services.GetRequiredService<IOptionsMonitor<GrpcClientFactoryOptions>>().Get("OrdersClient");
            GrpcChannelOptions channel = new();
            foreach (Action<GrpcChannelOptions> act in options.ChannelOptionsActions) act(channel);
            seen = channel.DisableResolverServiceConfig;
            seen.Should().Be(isDisabled);
        }
    }

    [Fact]
    public async Task The_channel_says_what_a_cancelled_call_throws()
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        using CancellationTokenSource stop = new();
        (ServiceProvider services, _) = Client(server, b => b.AddGrpcResilience(o => o.Idempotent(Orders.Descriptor).Retry = new()
        {
            BaseDelay = TimeSpan.FromSeconds(20),
            MaxDelay = TimeSpan.FromSeconds(20),
            Jitter = BackoffJitter.None,
            OnRetry = (_, _) => stop.CancelAfter(1),
        }).ConfigureChannel(o => o.ThrowOperationCanceledOnCancellation = true));
        await using ServiceProvider held = services;
        OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => services.GetRequiredService<Orders.OrdersClient>().GetAsync(plan.Order, cancellationToken: stop.Token).ResponseAsync.WaitAsync(TimeSpan.FromSeconds(60)));
    }

    /// <summary>A transport that connects itself, in the chain of the factory: with a handler of others above it nothing is proved.</summary>
    [Theory]
    [InlineData(false, 3)]
    [InlineData(true, 1)]
    public async Task That_nothing_was_sent_is_seen_in_the_chain_of_the_factory(bool hasOther, int attempts)
    {
        using ClosedPort closed = new();
        int made = 0;
        ServiceCollection services = new();
        IHttpClientBuilder builder = services.AddGrpcClient<Orders.OrdersClient>(o => o.Address = closed.Address).AddGrpcResilience(Fast)
            .AddInterceptor(() => new Counting(() => made++)).ConfigurePrimaryHttpMessageHandler(Transports.Connecting);
        if (hasOther) builder.AddHttpMessageHandler(() => new Passing());
        await using ServiceProvider provider = services.BuildServiceProvider();
        RpcException failed = await Assert.ThrowsAsync<RpcException>(() => provider.GetRequiredService<Orders.OrdersClient>().PlaceAsync(new Order { Id = "1" }).ResponseAsync);
        failed.StatusCode.Should().Be(StatusCode.Unavailable);
        made.Should().Be(attempts);
    }

    private static void Start(IServiceProvider services) => services.GetRequiredService<IStartupValidator>().Validate();

    private sealed class Passing : DelegatingHandler;
}
