using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.DependencyInjection;

/// <summary>Typed pipelines, whole sections of pipelines, and what is configured for all of them.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class MorePipelineTests
{
    private static ServiceProvider Container(Action<IResilienceBuilder> add, IConfiguration? configuration = null)
    {
        ServiceCollection services = new();
        services.AddLogging();
        if (configuration is not null) services.AddSingleton(configuration);
        add(services.AddResilience());
        return services.BuildServiceProvider(validateScopes: true);
    }

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Key, v.Value))).Build();

    private static void StartChecks(IServiceProvider services) => services.GetRequiredService<IStartupValidator>().Validate();

    [Fact]
    public async Task A_typed_pipeline_is_built_once_under_64_racing_resolves_and_stands_beside_others_of_its_name()
    {
        int runs = 0;
        await using ServiceProvider container = Container(b => b
            .AddPipeline("price", p => p.AddRetry())
            .AddPipeline<int>("price", p => p.AddRetry())
            .AddPipeline<string>("price", p =>
            {
                Interlocked.Increment(ref runs);
                p.AddFallback(o => o.Value = "none");
            }));
        StartChecks(container);
        ResiliencePipeline<string>[] seen = new ResiliencePipeline<string>[64];
        Together.Run(64, 1, _ => { }, (thread, _) => seen[thread] = container.GetRequiredKeyedService<ResiliencePipeline<string>>("price"), _ => { });
        runs.Should().Be(1);
        ResiliencePipelineProvider provider = container.GetRequiredService<ResiliencePipelineProvider>();
        seen.Distinct().Should().ContainSingle().Which.Should().BeSameAs(provider.GetPipeline<string>("price"));
        provider.GetPipeline<int>("price").Describe().Policies.Should().ContainSingle().Which.Role.Should().Be(PolicyRole.Retry);
        (await seen[0].ExecuteAsync(_ => throw new IOException())).Should().Be("none");
        provider.TryGetPipeline<double>("price", out _).Should().BeFalse();
        provider.Invoking(p => p.GetPipeline<double>("price")).Should().Throw<KeyNotFoundException>()
            .WithMessage("*'price<Double>'*price, price<Int32>, price<String>*");
        provider.States.Select(s => s.PipelineName).Should().BeEquivalentTo("price", "price<Int32>");
    }

    [Fact]
    public async Task A_typed_name_registered_twice_fails_at_start_unless_it_was_removed()
    {
        await using ServiceProvider twice = Container(b => b.AddPipeline<string>("x", p => p.AddRetry()).AddPipeline<string>("x", p => p.AddRetry()));
        FluentActions.Invoking(() => StartChecks(twice)).Should().Throw<OptionsValidationException>().WithMessage("*'x<String>'*more than once*");
        await using ServiceProvider replaced = Container(b =>
            b.AddPipeline<string>("x", p => p.AddRetry()).RemovePipeline<string>("x").AddPipeline<string>("x", p => p.AddTimeout(TimeSpan.FromSeconds(1))));
        StartChecks(replaced);
        replaced.GetRequiredKeyedService<ResiliencePipeline<string>>("x").Describe().Policies.Single().Role.Should().Be(PolicyRole.Timeout);
    }

    [Fact]
    public async Task A_typed_pipeline_follows_its_section_and_keeps_its_circuit()
    {
        IConfigurationRoot configuration = Configuration(("P:AttemptTimeout", "00:00:01"), ("P:CircuitBreaker:Probes", "1"));
        await using ServiceProvider container = Container(b => b.AddPipeline<string>("x", "P", (p, s, _) => p.AddFallback(o => o.Value = "").AddPolicies(s)),
            configuration);
        ResiliencePipeline<string> pipeline = container.GetRequiredKeyedService<ResiliencePipeline<string>>("x");
        CircuitBreaker circuit = pipeline.Find<CircuitBreaker>()!;
        circuit.Isolate();
        configuration["P:AttemptTimeout"] = "00:00:02";
        configuration.Reload();
        pipeline.Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(2));
        pipeline.Find<CircuitBreaker>().Should().BeSameAs(circuit);
        circuit.State.Should().Be(CircuitState.Isolated);
    }

    [Fact]
    public async Task Each_child_of_a_section_is_a_pipeline_also_one_that_comes_later()
    {
        IConfigurationRoot configuration = Configuration(("Pipes:orders:Retry:MaxRetries", "1"), ("Pipes:stock:TotalTimeout", "00:00:04"));
        await using ServiceProvider container = Container(b => b.AddPipelines("Pipes"), configuration);
        StartChecks(container);
        ResiliencePipelineProvider provider = container.GetRequiredService<ResiliencePipelineProvider>();
        provider.Names.Should().BeEquivalentTo("orders", "stock");
        container.GetRequiredKeyedService<ResiliencePipeline>("orders").Describe().Policies.Single().MaxAttempts.Should().Be(2);
        provider.GetPipeline("stock").Describe().Policies.Single().Timeout.Should().Be(TimeSpan.FromSeconds(4));
        provider.TryGetPipeline("mail", out _).Should().BeFalse();
        configuration["Pipes:mail:Retry:MaxRetries"] = "7";
        configuration.Reload();
        provider.GetPipeline("mail").Describe().Policies.Single().MaxAttempts.Should().Be(8);
        container.Invoking(c => c.GetRequiredKeyedService<ResiliencePipeline>("nowhere")).Should().Throw<KeyNotFoundException>();
    }

    [Fact]
    public async Task A_section_of_pipelines_that_is_missing_or_empty_stops_the_start()
    {
        await using ServiceProvider container = Container(b => b.AddPipelines("Pipes").AddPipelines("Others"), Configuration(("Others", "")));
        FluentActions.Invoking(() => StartChecks(container)).Should().Throw<OptionsValidationException>().Which.Failures.Should().Equal(
            "Pipes has no pipelines: the section is missing or empty", "Others has no pipelines: the section is missing or empty");
    }

    [Fact]
    public async Task Unknown_keys_and_numbers_out_of_range_are_reported_together()
    {
        await using ServiceProvider container = Container(b => b.AddPipelines("Pipes"), Configuration(
            ("Pipes:orders:Retry:MaxRetrys", "1"), ("Pipes:orders:Retry:MaxRetries", "-5"), ("Pipes:orders:CircuitBreaker:FailureRatio", "7")));
        string[] failures = [.. FluentActions.Invoking(() => StartChecks(container)).Should().Throw<OptionsValidationException>().Which.Failures];
        failures.Should().HaveCount(3);
        failures.Should().Contain("Pipes:orders:Retry:MaxRetrys is not a known setting; did you mean MaxRetries?")
            .And.Contain(f => f.StartsWith("Pipes:orders:Retry:MaxRetries is -5, but must be"))
                .And.Contain(f => f.StartsWith("Pipes:orders:CircuitBreaker:FailureRatio is 7, but must be"));
    }

    [Fact]
    public async Task A_client_reports_unknown_keys_and_numbers_out_of_range_together()
    {
        ServiceCollection services = new();
        services.AddSingleton<IConfiguration>(Configuration(("Http:Retry:MaxRetrys", "1"), ("Http:CircuitBreaker:FailureRatio", "7"),
            ("Http:TotalTimeout", "-00:00:01")));
        services.AddHttpClient("shop").AddStandardResilience("Http");
        await using ServiceProvider container = services.BuildServiceProvider();
        FluentActions.Invoking(() => container.GetRequiredKeyedService<HttpResilience>("shop")).Should().Throw<OptionsValidationException>()
            .Which.Failures.Should().HaveCount(3);
    }

    [Fact]
    public async Task A_section_with_a_slip_in_one_child_stops_the_start_and_names_it()
    {
        await using ServiceProvider container = Container(
            b => b.AddPipelines("Pipes"), Configuration(("Pipes:orders:Retri:MaxRetries", "1"), ("Pipes:stock:TotalTimeout", "00:00:04")));
        FluentActions.Invoking(() => StartChecks(container)).Should().Throw<OptionsValidationException>()
            .Which.Failures.Should().ContainSingle().Which.Should().Be("Pipes:orders:Retri is not a known setting; did you mean Retry?");
    }

    [Fact]
    public async Task What_is_configured_for_all_pipelines_reaches_those_of_clients_too()
    {
        FakeTimeProvider time = new();
        List<string> built = [];
        ServiceCollection services = new();
        services.AddHttpClient("shop").AddStandardResilience();
        services.AddResilience().AddPipeline("a", p => p.TimeProvider.Should().BeSameAs(time)).AddPipeline<int>("b", p => p.AddRetry())
            .ConfigureAllPipelines(p =>
            {
                p.TimeProvider = time;
                built.Add(p.Name);
            });
        await using ServiceProvider container = services.BuildServiceProvider();
        container.GetRequiredKeyedService<ResiliencePipeline>("a");
        container.GetRequiredKeyedService<ResiliencePipeline<int>>("b");
        container.GetRequiredKeyedService<HttpResilience>("shop");
        built.Should().Equal("a", "b", "shop/*");
    }

    [Fact]
    public async Task Pipelines_that_need_each_other_in_a_circle_are_found()
    {
        await using ServiceProvider container = Container(b => b
            .AddPipeline<int>("a", (p, s) => p.AddPipeline(s.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("b")))
            .AddPipeline("b", (_, s) => s.GetRequiredService<ResiliencePipelineProvider>().GetPipeline<int>("a")));
        container.Invoking(c => c.GetRequiredKeyedService<ResiliencePipeline<int>>("a")).Should().Throw<InvalidOperationException>()
            .WithMessage("*'a<Int32>' needs itself, by way of a<Int32> > b*");
    }

    [Fact]
    public void A_pipeline_that_is_asked_for_in_vain_is_named_as_those_that_are_known()
    {
        using ServiceProvider container = new ServiceCollection().AddLogging().AddResilience()
            .AddPipeline("orders", p => p.AddTimeout(TimeSpan.FromSeconds(1))).AddPipeline<int>("prices", p => p.AddTimeout(TimeSpan.FromSeconds(1)))
            .Services.BuildServiceProvider();
        ResiliencePipelineProvider provider = container.GetRequiredService<ResiliencePipelineProvider>();
        provider.Invoking(p => p.GetPipeline<string>("orders")).Should().Throw<KeyNotFoundException>()
            .WithMessage("No pipeline 'orders<String>' is registered; known are: orders, prices<Int32>.");
        using ServiceProvider empty = new ServiceCollection().AddLogging().AddResilience().Services.BuildServiceProvider();
        empty.GetRequiredService<ResiliencePipelineProvider>().Invoking(p => p.GetPipeline("orders")).Should().Throw<KeyNotFoundException>()
            .WithMessage("No pipeline 'orders' is registered; there are none.");
    }
}
