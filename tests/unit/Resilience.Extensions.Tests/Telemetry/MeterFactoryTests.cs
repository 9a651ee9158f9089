using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Resilience.Tests.Http;

namespace Resilience.Tests.Telemetry;

/// <summary>The metrics of a container are its own.</summary>
public sealed class MeterFactoryTests
{
    private static ServiceProvider Container(IConfiguration? configuration = null)
    {
        ServiceCollection services = new();
        services.AddMetrics();
        if (configuration is not null) services.AddSingleton(configuration);
        services.AddHttpClient("shop").AddStandardResilience(o => o.Retry!.BaseDelay = o.Retry.MaxDelay = TimeSpan.Zero)
            .ConfigurePrimaryHttpMessageHandler(() => new ScriptedHandler(HttpStatusCode.BadGateway, HttpStatusCode.OK));
        services.AddResilience().AddPipeline("orders", p => p
            .AddTimeout(TimeSpan.FromSeconds(1)).AddRetry(o => o.BaseDelay = o.MaxDelay = TimeSpan.Zero)
            .AddCircuitBreaker(o => o.ConsecutiveFailures = 3).AddConcurrencyLimit(10));
        if (configuration is not null) services.AddResilience().AddPipeline("set", "P");
        return services.BuildServiceProvider();
    }

    private static MetricCollector<T> Collect<T>(IServiceProvider container, string instrument)
        where T : struct => new(container.GetRequiredService<IMeterFactory>(), "Resilience", instrument);

    [Fact]
    public async Task Two_containers_and_the_process_do_not_see_each_others_measurements()
    {
        await using ServiceProvider one = Container(), other = Container();
        ResiliencePipeline mine = one.GetRequiredKeyedService<ResiliencePipeline>("orders");
        other.GetRequiredKeyedService<ResiliencePipeline>("orders");
        using MetricCollector<long> retries = Collect<long>(one, "resilience.retries"), theirs = Collect<long>(other, "resilience.retries"),
            attempts = Collect<long>(one, "resilience.attempts"), transitions = Collect<long>(one, "resilience.circuit_breaker.transitions"),
            rejections = Collect<long>(one, "resilience.circuit_breaker.rejections"), running = Collect<long>(one, "resilience.concurrency_limit.running");
        using MetricCollector<double> duration = Collect<double>(one, "resilience.call.duration"),
            balance = Collect<double>(one, "resilience.retry.budget.balance");
        await mine.TryExecuteAsync<int>(_ => throw new IOException());

        attempts.GetMeasurementSnapshot().Should().HaveCount(3).And.OnlyContain(m => Equals(m.Tags["error.type"], typeof(IOException).FullName));
        retries.GetMeasurementSnapshot().Should().HaveCount(3);
        transitions.GetMeasurementSnapshot().Should().ContainSingle();
        rejections.GetMeasurementSnapshot().Should().ContainSingle();
        running.GetMeasurementSnapshot().Sum(m => m.Value).Should().Be(0);
        duration.GetMeasurementSnapshot().Should().ContainSingle().Which.Tags.Should().ContainKey("error.type");
        balance.RecordObservableInstruments();
        balance.GetMeasurementSnapshot().Should().ContainSingle().Which.Tags["resilience.pipeline"].Should().Be("orders");
        theirs.GetMeasurementSnapshot().Should().BeEmpty();
    }

    [Fact]
    public async Task Clients_and_reloads_are_measured_there_too_and_success_has_no_error_type()
    {
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new("P:AttemptTimeout", "00:00:01")]).Build();
        await using ServiceProvider container = Container(configuration);
        container.GetRequiredKeyedService<ResiliencePipeline>("set");
        HttpClient client = container.GetRequiredService<IHttpClientFactory>().CreateClient("shop");
        using MetricCollector<long> retries = Collect<long>(container, "resilience.retries"),
            reloads = Collect<long>(container, "resilience.configuration.reloads");
        using MetricCollector<double> duration = Collect<double>(container, "resilience.call.duration");
        await client.GetAsync(HttpKit.Address);
        configuration["P:AttemptTimeout"] = "00:00:02";
        configuration.Reload();
        retries.GetMeasurementSnapshot().Should().ContainSingle().Which.Tags["resilience.reason"].Should().Be("502");
        reloads.GetMeasurementSnapshot().Should().ContainSingle();
        CollectedMeasurement<double> call = duration.GetMeasurementSnapshot().Should().ContainSingle().Subject;
        call.Tags.Should().NotContainKey("error.type", "it was retried and succeeded");
        call.Tags["resilience.pipeline"].Should().Be("shop/https://api.example.test");
    }

    [Fact]
    public async Task A_pipeline_keeps_its_meter_across_an_update()
    {
        await using ServiceProvider container = new ServiceCollection().AddMetrics().BuildServiceProvider();
        IMeterFactory meters = container.GetRequiredService<IMeterFactory>();
        ResiliencePipelineBuilder NewBuilder(int retries) =>
            new ResiliencePipelineBuilder { MeterFactory = meters }.AddRetry(o => (o.MaxRetries, o.BaseDelay) = (retries, TimeSpan.Zero));
        ResiliencePipeline pipeline = NewBuilder(1).Build();
        pipeline.Update(NewBuilder(2));
        using MetricCollector<long> retried = Collect<long>(container, "resilience.retries");
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        retried.GetMeasurementSnapshot().Should().HaveCount(2);
    }

    [Fact]
    public async Task Durations_are_seconds_recorded_while_the_span_of_the_call_is_current_so_that_exemplars_find_it()
    {
        await using ServiceProvider container = Container();
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        List<(string? Span, double Seconds, string? Unit)> recorded = [];
        using MeterListener listener = new();
        IMeterFactory mine = container.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "resilience.call.duration" && ReferenceEquals(instrument.Meter.Scope, mine)) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((i, value, _, _) => recorded.Add((Activity.Current?.DisplayName, value, i.Unit)));
        listener.Start();
        using ActivityListener spans = new()
        {
            ShouldListenTo = s => s.Name == ResilienceTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(spans);
        await pipeline.ExecuteAsync(async _ => await Task.Yield());
        recorded.Should().ContainSingle();
        recorded[0].Span.Should().Be("orders");
        recorded[0].Unit.Should().Be("s");
        recorded[0].Seconds.Should().BeInRange(0, 60);
    }
}
