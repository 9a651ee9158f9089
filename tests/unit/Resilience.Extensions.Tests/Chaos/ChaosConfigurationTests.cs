using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.ChaosPolicies;

/// <summary>Chaos in a container: where the host says it runs, what configuration says, and what is told.</summary>
public sealed class ChaosConfigurationTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLogCollector _log = new();

    private sealed class Host(string name) : IHostEnvironment
    {
        public string EnvironmentName { get; set; } = name;

        public string ApplicationName { get; set; } = "";

        public string ContentRootPath { get; set; } = "";

        public IFileProvider ContentRootFileProvider { get; set; } = new NullFileProvider();
    }

    private ServiceProvider Container(string environment, IConfiguration configuration)
    {
        ServiceCollection services = new();
        services.AddLogging(l => l.AddProvider(new FakeLoggerProvider(_log)));
        services.AddSingleton<TimeProvider>(_time).AddSingleton(configuration).AddSingleton<IHostEnvironment>(new Host(environment));
        services.AddResilience().AddPipeline("orders", "P");
        return services.BuildServiceProvider();
    }

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Key, v.Value))).Build();

    private static async Task<bool> IsDisturbed(ResiliencePipeline pipeline) => !(await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).IsSuccess;

    private string[] Lines(int id) => [.. _log.GetSnapshot().Where(r => r.Id.Id == id).Select(r => $"{r.Level}: {r.Message}")];

    [Fact]
    public async Task Configuration_flips_the_switch_while_the_pipeline_lives_and_the_log_tells()
    {
        IConfigurationRoot configuration = Configuration(("P:Chaos:Rates:Fault", "1"), ("P:Chaos:Seed", "7"));
        await using ServiceProvider container = Container("Development", configuration);
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        (await IsDisturbed(pipeline)).Should().BeFalse();
        configuration["P:Chaos:IsOn"] = "true";
        configuration.Reload();
        (await IsDisturbed(pipeline)).Should().BeTrue();
        configuration["P:Chaos:IsOn"] = "false";
        configuration.Reload();
        (await IsDisturbed(pipeline)).Should().BeFalse();
        Lines(13).Should().Equal(
            "Warning: orders/chaos: chaos is on in Development: fault 1, seed 7", "Warning: orders/chaos: chaos is off in Development");
        Lines(14).Should().Equal("Warning: orders/chaos: fault injected into call 0, attempt 1");
    }

    [Fact]
    public async Task A_switch_that_was_turned_by_hand_survives_a_reload_of_other_numbers()
    {
        IConfigurationRoot configuration = Configuration(("P:Chaos:Rates:Fault", "0"), ("P:AttemptTimeout", "00:00:05"));
        await using ServiceProvider container = Container("Staging", configuration);
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        pipeline.Find<ChaosSwitch>()!.TurnOn();
        configuration["P:Chaos:Rates:Fault"] = "1";
        configuration.Reload();
        (await IsDisturbed(pipeline)).Should().BeTrue();
    }

    [Fact]
    public async Task A_reload_that_brings_chaos_to_Production_is_rejected_like_any_wrong_setting()
    {
        IConfigurationRoot configuration = Configuration(("P:AttemptTimeout", "00:00:05"), ("P:Chaos:Enabled", "false"), ("P:Chaos:Rates:Fault", "1"));
        await using ServiceProvider container = Container("production", configuration);
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("orders");
        configuration["P:Chaos:Enabled"] = "true";
        configuration["P:Chaos:IsOn"] = "true";
        configuration.Reload();
        (await IsDisturbed(pipeline)).Should().BeFalse();
        Lines(21).Should().ContainSingle().Which.Should().Contain("P:Chaos does not fit: chaos: EnvironmentName is 'production', where chaos is not allowed")
            .And.Contain("AllowedEnvironments");
        configuration["P:Chaos:AllowedEnvironments:0"] = "Production";
        configuration.Reload();
        (await IsDisturbed(pipeline)).Should().BeTrue();
    }

    [Fact]
    public async Task The_host_says_where_it_runs_and_at_the_start_it_is_rejected()
    {
        await using ServiceProvider container = Container("Production", Configuration(("P:Chaos:Rates:Fault", "1")));
        container.Invoking(c => c.GetRequiredKeyedService<ResiliencePipeline>("orders")).Should().Throw<OptionsValidationException>()
            .Which.Message.Should().Contain("P:Chaos does not fit: chaos: EnvironmentName is 'Production'");
    }

    [Fact]
    public async Task Everything_can_be_set_in_configuration_and_problems_have_their_paths()
    {
        IConfigurationRoot configuration = Configuration(
            ("P:Chaos:IsOn", "true"), ("P:Chaos:Rates:Latency", "0.5"), ("P:Chaos:Latency", "00:00:00.1"), ("P:Chaos:MaxLatency", "00:00:00.3"),
            ("P:Chaos:Schedule:RepeatEvery", "00:10:00"), ("P:Chaos:Schedule:Windows:0:From", "00:01:00"), ("P:Chaos:Schedule:Windows:0:Length", "00:02:00"),
            ("P:Chaos:Schedule:Windows:1:From", "00:05:00"), ("P:Chaos:Schedule:Windows:1:Rates:Fault", "0.25"), ("P:Chaos:Seed", "-3"));
        await using ServiceProvider container = Container("Development", configuration);
        container.GetRequiredKeyedService<ResiliencePipeline>("orders").Describe().ToString().Should().Contain(
            "switch = on, rates = latency 0.5, seed = -3, environment = Development, latency = 100 ms to 300 ms, "
            + "schedule = 60 s to 3 min; 5 min to 6 min: fault 0.25, every 10 min");

        SettingsReading<PipelineSettings> once = SettingsReader.ReadPipeline(configuration.GetSection("P"), "P"),
            again = SettingsReader.ReadPipeline(configuration.GetSection("P"), "P");
        once.Problems.Should().BeEmpty();
        once.Settings.Should().Be(again.Settings);
        configuration["P:Chaos:Schedule:Windows:1:Rates:Fault"] = "0.5";
        SettingsReader.ReadPipeline(configuration.GetSection("P"), "P").Settings.Should().NotBe(again.Settings);

        configuration["P:Chaos:Schedule:Windows:1:From"] = "00:02:00";
        configuration["P:Chaos:Rates:Latency"] = "1.5";
        await using ServiceProvider other = Container("Development", configuration);
        other.Invoking(c => c.GetRequiredKeyedService<ResiliencePipeline>("orders")).Should().Throw<OptionsValidationException>()
            .Which.Failures.Should().SatisfyRespectively(
                f => f.Should().StartWith("P:Chaos:Rates:Latency is 1.5"), f => f.Should().StartWith("P:Chaos:Schedule:Windows:1:From is 2 min"));

        configuration["P:Chaos:Schedule:Windows:1:Form"] = "x";
        configuration["P:Chaos:AllowedEnvironments"] = "Production";
        SettingsReader.ReadPipeline(configuration.GetSection("P"), "P").Problems.Select(p => p.ToString()).Should().BeEquivalentTo(
            "P:Chaos:Schedule:Windows:1:Form is not a known setting; did you mean From?", "P:Chaos:AllowedEnvironments is 'Production', but must be a list of names");
    }

    [Fact]
    public async Task Injections_are_counted_by_kind()
    {
        using MetricCollector<long> injections = new(null, "Resilience", "resilience.chaos.injections");
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "counted", EnvironmentName = "Development" }
            .AddChaos(o => (o.IsOn, o.Rates) = (true, new() { LostReply = 1 })).Build();
        (await IsDisturbed(pipeline)).Should().BeTrue();
        injections.GetMeasurementSnapshot().Where(m => (string?)m.Tags["resilience.pipeline"] == "counted")
            .Should().ContainSingle().Which.Tags.Should().Contain("resilience.chaos.kind", "lost_reply").And.Contain("resilience.policy", "chaos");
    }
}
