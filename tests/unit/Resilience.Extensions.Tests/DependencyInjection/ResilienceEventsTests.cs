using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;

namespace Resilience.Tests.DependencyInjection;

/// <summary>Those who come to listen while the container lives, and to look at what it has made.</summary>
public sealed class ResilienceEventsTests
{
    private static readonly CircuitBreakerOptions Touchy = new() { ConsecutiveFailures = 1, BreakDuration = TimeSpan.FromHours(1), MaxBreakDuration = TimeSpan.FromHours(1) };

    private readonly ServiceProvider _services = new ServiceCollection()
        .AddResilience().AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)).AddPipeline<string>("orders", p => p.AddTimeout(TimeSpan.FromSeconds(1)))
        .Services.AddIdempotency().Services.AddMetrics().BuildServiceProvider();

    private ResilienceEvents Events => _services.GetRequiredService<ResilienceEvents>();

    private async Task FailAsync(int times)
    {
        ResiliencePipeline orders = _services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("orders");
        for (int i = 0; i < times; i++) await orders.TryExecuteAsync(static _ => ValueTask.FromException<int>(new IOException()));
    }

    [Fact]
    public async Task A_subscriber_receives_everything_until_it_leaves()
    {
        List<ResilienceEvent> heard = [];
        await FailAsync(2); // opens, rejected: there is no subscriber
        using (Events.Subscribe(heard.Add)) await FailAsync(3);
        await FailAsync(4);
        heard.Should().HaveCount(3).And.AllBeOfType<CircuitRejected>();
    }

    [Fact]
    public async Task A_subscriber_to_changes_of_state_only_causes_no_events_of_calls()
    {
        List<ResilienceEvent> heard = [];
        using IDisposable subscription = Events.SubscribeToStateChanges(heard.Add);
        Events.ObservesCalls.Should().BeFalse();
        await FailAsync(3);
        heard.Should().ContainSingle().Which.Should().BeOfType<CircuitChanged>().Which.To.Should().Be(CircuitState.Open);
        using (Events.Subscribe(_ => { })) Events.ObservesCalls.Should().BeTrue();
        Events.ObservesCalls.Should().BeFalse();
    }

    [Fact]
    public async Task A_passive_subscriber_hears_what_is_counted_anyway_and_causes_nothing()
    {
        List<ResilienceEvent> heard = [];
        using IDisposable subscription = Events.SubscribePassively(heard.Add);
        Events.ObservesCalls.Should().BeFalse();
        await FailAsync(2);
        heard.Should().ContainSingle().Which.Should().BeOfType<CircuitChanged>();

        using (MetricCollector<long> counted = new(_services.GetRequiredService<IMeterFactory>(), ResilienceTelemetry.MeterName, CircuitRejected.Metric.Name))
            await FailAsync(3);
        await FailAsync(4);

        heard.Skip(1).Should().HaveCount(3).And.AllBeOfType<CircuitRejected>();
    }

    [Fact]
    public async Task A_subscriber_that_throws_disturbs_neither_the_call_nor_the_others()
    {
        List<ResilienceEvent> heard = [];
        using IDisposable bad = Events.Subscribe(_ => throw new InvalidOperationException()), good = Events.Subscribe(heard.Add);
        await FailAsync(2);
        heard.Should().HaveCount(2);
    }

    [Fact]
    public async Task Subscribers_that_come_and_go_at_once_are_all_counted()
    {
        await Parallel.ForAsync(0, 1000, (_, _) =>
        {
            using IDisposable one = Events.Subscribe(static _ => { });
            Events.ObservesCalls.Should().BeTrue();
            return ValueTask.CompletedTask;
        });
        Events.ObservesCalls.Should().BeFalse();
    }

    [Fact]
    public void Views_show_plain_and_typed_pipelines()
    {
        ResiliencePipelineProvider provider = _services.GetRequiredService<ResiliencePipelineProvider>();
        provider.Views.Should().BeEmpty("nothing was asked for yet");
        provider.GetPipeline("orders");
        provider.GetPipeline<string>("orders");

        provider.Views.Select(v => (v.ToString(), v.Name, v.ResultType))
            .Should().BeEquivalentTo([("orders", "orders", null), ("orders<String>", "orders", typeof(string))]);
        provider.Views.Single(v => v.ResultType is null).States.Should().ContainSingle().Which.State.Should().BeOfType<CircuitBreaker>();
        provider.Views.Single(v => v.ResultType is not null).Describe().Policies.Should().ContainSingle().Which.Role.Should().Be(PolicyRole.Timeout);
    }

    [Fact]
    public void The_gate_is_there_once_it_was_used()
    {
        IdempotencyGates gates = _services.GetRequiredService<IdempotencyGates>();
        gates.Made.Should().BeEmpty();
        IdempotencyGate gate = _services.GetRequiredService<IdempotencyGate>();
        gates.Made.Should().ContainSingle().Which.Should().BeSameAs(gate);
    }
}
