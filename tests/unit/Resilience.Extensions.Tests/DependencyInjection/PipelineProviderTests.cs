using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;

namespace Resilience.Tests.DependencyInjection;

/// <summary>Pipelines in a container: registered, resolved, checked at start, reloaded.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class PipelineProviderTests
{
    private readonly FakeLogCollector _log = new();

    private ServiceProvider Container(Action<IResilienceBuilder> add, IConfiguration? configuration = null)
    {
        ServiceCollection services = new();
        services.AddLogging(l => l.AddProvider(new FakeLoggerProvider(_log)));
        if (configuration is not null) services.AddSingleton(configuration);
        add(services.AddResilience());
        return services.BuildServiceProvider(validateScopes: true);
    }

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Key, v.Value))).Build();

    private static void StartChecks(IServiceProvider services) => services.GetRequiredService<IStartupValidator>().Validate();

    [Fact]
    public void The_factory_runs_once_when_64_threads_ask_at_once()
    {
        int runs = 0;
        using ServiceProvider container = Container(b => b.AddPipeline("orders", p =>
        {
            Interlocked.Increment(ref runs);
            p.AddRetry();
        }));
        ResiliencePipeline[] seen = new ResiliencePipeline[64];
        Together.Run(64, 1, _ => { }, (thread, _) => seen[thread] = container.GetRequiredKeyedService<ResiliencePipeline>("orders"), _ => { });
        runs.Should().Be(1);
        seen.Distinct().Should().ContainSingle().Which.Should().BeSameAs(container.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("orders"));
    }

    [Fact]
    public void A_name_that_is_registered_twice_fails_at_start_and_when_asked_for_unless_it_was_removed()
    {
        using ServiceProvider twice = Container(b => b.AddPipeline("orders", p => p.AddRetry()).AddPipeline("orders", p => p.AddRetry()));
        FluentActions.Invoking(() => StartChecks(twice)).Should().Throw<OptionsValidationException>().WithMessage("*'orders'*more than once*RemovePipeline*");
        FluentActions.Invoking(() => twice.GetRequiredKeyedService<ResiliencePipeline>("orders")).Should().Throw<InvalidOperationException>();

        using ServiceProvider replaced = Container(b =>
            b.AddPipeline("orders", p => p.AddRetry()).RemovePipeline("orders").AddPipeline("orders", p => p.AddTimeout(TimeSpan.FromSeconds(1))));
        StartChecks(replaced);
        replaced.GetRequiredKeyedService<ResiliencePipeline>("orders").Describe().Policies.Should().ContainSingle().Which.Role.Should().Be(PolicyRole.Timeout);
    }

    [Fact]
    public void All_problems_of_all_pipelines_are_reported_at_start_with_their_paths()
    {
        IConfigurationRoot configuration = Configuration(
            ("R:a:Retry:MaxDelay", "00:00:00.1"), ("R:b:TotalTimeout", "00:00:10"), ("R:b:Retry:MaxRetries", "3"), ("R:b:AttemptTimeout", "00:00:10"), ("R:c:Retri", "x"));
        using ServiceProvider container = Container(
            b => b.AddPipeline("a", "R:a").AddPipeline("b", "R:b").AddPipeline("c", configuration.GetSection("R:c")).AddPipeline("d", "R:d"), configuration);
        FluentActions.Invoking(() => StartChecks(container)).Should().Throw<OptionsValidationException>().Which.Failures.Should().SatisfyRespectively(
            f => f.Should().StartWith("R:a:Retry:MaxDelay is 100 ms, but must be from"),
            f => f.Should().StartWith("R:b: RES007"),
            f => f.Should().StartWith("R:c:Retri is not a known setting; did you mean Retry?"),
            f => f.Should().StartWith("R:d has no settings"));
    }

    [Fact]
    public async Task A_reload_keeps_an_open_circuit_open_and_a_bad_one_keeps_the_last_good_options()
    {
        IConfigurationRoot configuration = Configuration(("R:CircuitBreaker:ConsecutiveFailures", "1"));
        using ServiceProvider container = Container(b => b.AddPipeline("orders", configuration.GetSection("R")));
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        CircuitBreaker breaker = pipeline.Find<CircuitBreaker>()!;
        await pipeline.TryExecuteAsync<int>(static _ => throw new IOException());
        breaker.State.Should().Be(CircuitState.Open);

        configuration["R:CircuitBreaker:ConsecutiveFailures"] = "7";
        configuration.Reload();
        pipeline.Find<CircuitBreaker>().Should().BeSameAs(breaker);
        breaker.State.Should().Be(CircuitState.Open);
        pipeline.Describe().ToString().Should().Contain("7 within");

        configuration["R:CircuitBreaker:Probes"] = "0";
        configuration.Reload();
        FakeLogRecord rejected = _log.GetSnapshot().Single(r => r.Id.Id == 21);
        rejected.Level.Should().Be(LogLevel.Error);
        rejected.Message.Should().Contain("R:CircuitBreaker:Probes is 0");
        pipeline.Describe().ToString().Should().Contain("7 within");

        configuration["R:CircuitBreaker:Probes"] = "2";
        configuration.Reload();
        pipeline.Describe().ToString().Should().Contain("2, 2 must succeed");
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Fact]
    public async Task A_retried_attempt_makes_one_line_and_a_success_none()
    {
        using ServiceProvider container = Container(b => b.AddPipeline("orders", p => p.AddRetry(o => o.BaseDelay = TimeSpan.Zero)));
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        int runs = 0;
        await pipeline.ExecuteAsync(_ => ++runs == 1 ? throw new IOException() : new ValueTask<int>(1));
        FakeLogRecord line = _log.GetSnapshot().Should().ContainSingle(r => r.Level >= LogLevel.Information).Which;
        (line.Id.Id, line.Id.Name, line.Category).Should().Be((1, "RetryScheduled", "Resilience"));
    }

    [Fact]
    public async Task A_hedge_writes_a_line_and_one_that_is_stopped_as_well()
    {
        using ServiceProvider container = Container(b => b.AddPipeline("orders", p => p.AddHedging(o =>
        {
            o.Delay = Timeout.InfiniteTimeSpan;
            o.BudgetOptions = new() { Ratio = 0, MinRetriesPerSecond = 0.1 }; // one hedge, then none for long
        })));
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        int runs = 0;
        await pipeline.ExecuteAsync(_ => ++runs == 1 ? throw new IOException() : new ValueTask<int>(1));
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        _log.GetSnapshot().Where(r => r.Level >= LogLevel.Information).Select(r => (r.Id.Id, r.Id.Name, r.Level))
            .Should().Equal((10, "HedgeStarted", LogLevel.Information), (11, "HedgeSkipped", LogLevel.Warning));
    }

    [Fact]
    public void Circles_unknown_names_failed_factories_and_a_disposed_container_are_clear_errors()
    {
        int runs = 0;
        ServiceProvider container = Container(b => b
            .AddPipeline("a", (p, s) => p.AddPipeline(s.GetRequiredKeyedService<ResiliencePipeline>("b")))
            .AddPipeline("b", (p, s) => p.AddPipeline(s.GetRequiredKeyedService<ResiliencePipeline>("a")))
            .AddPipeline("c", p => p.AddConcurrencyLimit(runs++ == 0 ? throw new IOException("not yet") : 5)));
        ResiliencePipelineProvider provider = container.GetRequiredService<ResiliencePipelineProvider>();
        provider.Invoking(p => p.GetPipeline("a")).Should().Throw<InvalidOperationException>().WithMessage("*'a' needs itself*");
        provider.Invoking(p => p.GetPipeline("x")).Should().Throw<KeyNotFoundException>().WithMessage("*'x'*a, b, c*");
        provider.Invoking(p => p.GetPipeline("c")).Should().Throw<IOException>();
        provider.GetPipeline("c").Find<ConcurrencyLimit>()!.Limit.Should().Be(5);
        container.Dispose();
        provider.Invoking(p => p.GetPipeline("c")).Should().Throw<ObjectDisposedException>();
    }
}
