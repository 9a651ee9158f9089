using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Resilience.Tests.Http;

namespace Resilience.Tests.HealthChecks;

/// <summary>Open circuits, as the health checks of the host report them.</summary>
public sealed class HealthCheckTests
{
    private readonly CircuitBreakerPartitions _shards = new(new() { Name = "shard-circuit" });

    private ServiceProvider Container(HealthStatus? status = null, Action<ResilienceHealthOptions>? configure = null)
    {
        ServiceCollection services = new();
        services.AddLogging().AddHealthChecks().AddResilience(failureStatus: status, tags: ["ready"], configure: configure);
        services.AddHttpClient("shop").AddStandardResilience().ConfigurePrimaryHttpMessageHandler(() => new ScriptedHandler(HttpStatusCode.OK));
        services.AddResilience()
            .AddPipeline("orders", p => p.AddCircuitBreaker())
            .AddPipeline<string>("prices", p => p.AddCircuitBreaker())
            .AddPipeline("shards", p => p.AddCircuitBreaker(_shards, c => c.Operation))
            .AddPipeline("unused", _ => throw new InvalidOperationException("a health check builds nothing"));
        return services.BuildServiceProvider();
    }

    private static async Task<HealthReportEntry> LookAsync(IServiceProvider services) =>
        (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["resilience"];

    [Fact]
    public async Task Before_anything_was_used_all_is_well_and_nothing_is_built()
    {
        await using ServiceProvider services = Container();
        HealthReportEntry entry = await LookAsync(services);
        entry.Status.Should().Be(HealthStatus.Healthy);
        entry.Data.Should().BeEquivalentTo(new Dictionary<string, object> { ["circuits"] = 0 });
        entry.Tags.Should().Equal("ready");
        services.GetRequiredService<ResiliencePipelineProvider>().Built.Should().BeEmpty();
        services.GetRequiredService<HttpResilienceProvider>().Made.Should().BeEmpty();
    }

    [Fact]
    public async Task Open_circuits_of_pipelines_partitions_and_clients_degrade_with_the_reason_in_the_data()
    {
        await using ServiceProvider services = Container();
        CircuitBreaker orders = services.GetRequiredKeyedService<ResiliencePipeline>("orders").Find<CircuitBreaker>()!;
        CircuitBreaker prices = services.GetRequiredKeyedService<ResiliencePipeline<string>>("prices").Find<CircuitBreaker>()!;
        services.GetRequiredKeyedService<ResiliencePipeline>("shards");
        await services.GetRequiredService<IHttpClientFactory>().CreateClient("shop").GetAsync(HttpKit.Address);
        CircuitBreaker shop = services.GetRequiredKeyedService<HttpResilience>("shop").For(HttpKit.Address).CircuitBreaker!;
        (await LookAsync(services)).Status.Should().Be(HealthStatus.Healthy);

        foreach (CircuitBreaker circuit in new[] { orders, prices, shop, _shards.Get("7") }) circuit.Isolate();
        HealthReportEntry entry = await LookAsync(services);
        entry.Status.Should().Be(HealthStatus.Degraded);
        entry.Description.Should().Be(
            "Open: orders/circuit-breaker, prices<String>/circuit-breaker, shards/shard-circuit/7, shop/https://api.example.test/circuit-breaker.");
        entry.Data.Keys.Should().HaveCount(5).And.Contain("circuits");
        entry.Data["orders/circuit-breaker"].Should().BeOfType<string>().Which.Should().StartWith("isolated for ");

        foreach (CircuitBreaker circuit in new[] { orders, prices, shop, _shards.Get("7") }) circuit.Close();
        (await LookAsync(services)).Status.Should().Be(HealthStatus.Healthy);
    }

    [Fact]
    public async Task Circuits_can_be_left_out_and_the_status_chosen()
    {
        await using ServiceProvider services = Container(HealthStatus.Unhealthy, o =>
        {
            o.Ignored.Add("shop/*");
            o.Ignored.Add("prices<String>/circuit-breaker");
        });
        services.GetRequiredKeyedService<ResiliencePipeline<string>>("prices").Find<CircuitBreaker>()!.Isolate();
        services.GetRequiredKeyedService<HttpResilience>("shop").For(HttpKit.Address).CircuitBreaker!.Isolate();
        (await LookAsync(services)).Status.Should().Be(HealthStatus.Healthy);
        services.GetRequiredKeyedService<ResiliencePipeline>("orders").Find<CircuitBreaker>()!.Isolate();
        (await LookAsync(services)).Status.Should().Be(HealthStatus.Unhealthy);
    }

    [Fact]
    public async Task A_policy_of_another_author_degrades_while_it_says_that_it_has_tripped()
    {
        PolicyCondition condition = PolicyCondition.Ok;
        ServiceCollection services = new();
        services.AddLogging().AddHealthChecks().AddResilience();
        services.AddResilience().AddPipeline("orders", p => p
            .AddPolicy(new Foreign(() => new(condition, $"it is {condition}") { CanTrip = true }))
            .AddPolicy(new Foreign(() => new(PolicyCondition.Warning, "not watched")))
            .AddPolicy(new Foreign(() => throw new IOException())));
        await using ServiceProvider container = services.BuildServiceProvider();
        container.GetRequiredKeyedService<ResiliencePipeline>("orders");

        (await LookAsync(container)).Data.Should().BeEquivalentTo(new Dictionary<string, object> { ["circuits"] = 1 });
        condition = PolicyCondition.Warning;
        HealthReportEntry probing = await LookAsync(container);
        (probing.Status, probing.Data["orders/policy"]).Should().Be((HealthStatus.Healthy, "it is Warning"));
        condition = PolicyCondition.Tripped;
        HealthReportEntry tripped = await LookAsync(container);
        (tripped.Status, tripped.Description).Should().Be((HealthStatus.Degraded, "Open: orders/policy."));
        tripped.Data["orders/policy"].Should().Be("it is Tripped");
    }

    private sealed class Foreign(Func<PolicyStatus> say) : SimplePolicy, IPolicyStatus
    {
        public PolicyStatus GetStatus() => say();

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }
}
