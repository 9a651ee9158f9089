using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Resilience.Tests.Configuration;

/// <summary>A policy of another author in configuration: a registration makes its key known, and then it is like ours.</summary>
public sealed class ConfigurablePolicyTests
{
    private enum Mood
    {
        Calm,
        Loud,
    }

    private sealed class QuotaOptions : PolicyOptions
    {
        private static readonly PolicySettings<QuotaOptions> Declared = PolicySettings.For<QuotaOptions>()
            .Whole(nameof(Max), static o => o.Max, static (o, v) => o.Max = v, 1, 100, "How many. Default 10.")
            .Span(nameof(Window), static o => o.Window, static (o, v) => o.Window = v, TimeSpan.FromSeconds(1), null, "In what time. Default 00:01:00.")
            .Choice(nameof(Mood), static o => o.Mood, static (o, v) => o.Mood = v, "How it is told. Default Calm.")
            .Texts(nameof(Tenants), static (o, v) => o.Tenants = [.. v], "Whom it concerns. Default: all.");

        public int Max { get; set; } = 10;

        public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(1);

        public Mood Mood { get; set; }

        public string[] Tenants { get; set; } = [];

        protected internal override string Kind => "quota";

        protected internal override IReadOnlyList<PolicySetting> Settings => Declared;
    }

    private sealed class QuotaPolicy(QuotaOptions options, PolicyEnvironment environment) : SimplePolicy
    {
        public override PolicyDescription Describe() => new(environment.PolicyName, PolicyRole.Other)
        {
            Options = [new("quota", $"{options.Max} in {options.Window}, {options.Mood}, {string.Join('+', options.Tenants)}")],
        };

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    private static readonly ConfigurablePolicy Quota = new ConfigurablePolicy<QuotaOptions>(
        "Quota", "How often a tenant may call.", static (builder, options) => builder.AddPolicy(options, static (o, e) => new QuotaPolicy(o, e)))
    { Noun = "the quota" };

    private static IConfigurationRoot Configuration(params (string Key, string? Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>($"P:{v.Key}", v.Value))).Build();

    private static ServiceProvider Container(IConfiguration configuration, ConfiguredPlace? place = null) => new ServiceCollection()
        .AddSingleton(configuration).AddLogging().AddResilience()
        .AddConfigurablePolicy(Quota, place ?? ConfiguredPlace.Outside("Retry")).AddPipeline("orders", configuration.GetSection("P"))
            .Services.BuildServiceProvider();

    private static ResiliencePipeline Orders(IServiceProvider services) => services.GetRequiredKeyedService<ResiliencePipeline>("orders");

    [Fact]
    public async Task It_is_named_bound_and_stands_in_its_place()
    {
        IConfigurationRoot configuration = Configuration(
            ("TotalTimeout", "00:00:30"), ("Retry", null), ("quota:MAX", "7"), ("Quota:Window", "00:00:05"), ("Quota:Mood", "loud"), ("Quota:Tenants:0", "a"), ("Quota:Tenants:1", "b"));
        await using ServiceProvider container = Container(configuration);
        IReadOnlyList<PolicyDescription> policies = Orders(container).Describe().Policies;
        policies.Select(p => p.Name).Should().Equal("total-timeout", "quota", "retry");
        policies[1].Options.Should().ContainSingle().Which.Value.Should().Be("7 in 00:00:05, Loud, a+b");

        await using ServiceProvider inside = Container(configuration, ConfiguredPlace.Inside("retry"));
        Orders(inside).Describe().Policies.Select(p => p.Name).Should().Equal("total-timeout", "retry", "quota");
    }

    [Theory]
    [InlineData("Quota:Maxx", "7", "P:Quota:Maxx is not a known setting; did you mean Max?")]
    [InlineData("Qouta:Max", "7", "P:Qouta is not a known setting; did you mean Quota?")]
    [InlineData("Quota:Max", "many", "P:Quota:Max is 'many', but must be a whole number from 1 to 100")]
    [InlineData("Quota:Mood", "2", "P:Quota:Mood is '2', but must be one of Calm, Loud")]
    [InlineData("Quota:Max", "101", "P:Quota:Max is 101, but must be from 1 to 100")]
    [InlineData("Quota:Window", "00:00:00.5", "P:Quota:Window is 500 ms, but must be from 1 s to 24 h")]
    [InlineData("Quota:Tenants", "a", "P:Quota:Tenants is 'a', but must be a list of names")]
    [InlineData("Quota:Enabled", "no", "P:Quota:Enabled is 'no', but must be true or false")]
    public async Task What_is_wrong_is_told_with_its_path(string key, string value, string problem)
    {
        await using ServiceProvider container = Container(Configuration((key, value)));
        container.Invoking(Orders).Should().Throw<OptionsValidationException>().Which.Failures.Should().Equal(problem);
    }

    [Fact]
    public async Task It_can_be_turned_off_and_follows_a_reload()
    {
        IConfigurationRoot configuration = Configuration(("Retry", null), ("Quota:Max", "7"));
        await using ServiceProvider container = Container(configuration);
        ResiliencePipeline orders = Orders(container);
        configuration["P:Quota:Max"] = "8";
        configuration.Reload();
        orders.Describe().Policies[0].Options.Should().ContainSingle().Which.Value.Should().StartWith("8 in");
        configuration["P:Quota:Max"] = "800";
        configuration.Reload();
        orders.Describe().Policies[0].Options.Should().ContainSingle().Which.Value.Should().StartWith("8 in", "what is wrong changes nothing");
        configuration["P:Quota:Max"] = "8";
        configuration["P:Quota:Enabled"] = "false";
        configuration.Reload();
        orders.Describe().Policies.Select(p => p.Name).Should().Equal("retry");
    }

    [Fact]
    public async Task Without_a_registration_its_key_is_a_mistake()
    {
        await using ServiceProvider container = new ServiceCollection().AddLogging().AddResilience()
            .AddPipeline("orders", Configuration(("Quota:Max", "7")).GetSection("P")).Services.BuildServiceProvider();
        container.Invoking(Orders).Should().Throw<OptionsValidationException>().WithMessage("P:Quota is not a known setting*");
    }

    [Fact]
    public async Task A_key_that_is_taken_and_a_place_that_there_is_not_are_mistakes()
    {
        await using ServiceProvider lost = Container(Configuration(("Quota", null)), ConfiguredPlace.Inside("Rety"));
        lost.Invoking(Orders).Should().Throw<InvalidOperationException>()
            .WithMessage("*'Quota' stands beside 'Rety', which is not known; known are TotalTimeout, Retry,*");
        await using ServiceProvider twice = new ServiceCollection().AddLogging().AddResilience()
            .AddConfigurablePolicy(Quota, ConfiguredPlace.Inside("Retry")).AddConfigurablePolicy(Quota, ConfiguredPlace.Inside("Retry"))
            .AddPipeline("orders", Configuration(("Quota", null)).GetSection("P")).Services.BuildServiceProvider();
        twice.Invoking(Orders).Should().Throw<InvalidOperationException>().WithMessage("*'Quota' is registered twice*");
    }

    [Fact]
    public void A_setting_that_is_declared_twice_is_a_mistake() =>
        FluentActions.Invoking(() => PolicySettings.For<QuotaOptions>().Flag("A", static (_, _) => { }, "One.").Flag("a", static (_, _) => { }, "Two."))
            .Should().Throw<ArgumentException>().WithMessage("*'a' of QuotaOptions is declared twice*");
}
