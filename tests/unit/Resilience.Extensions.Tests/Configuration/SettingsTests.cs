using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace Resilience.Tests.Configuration;

/// <summary>What configuration may contain, and the messages for what is wrong in it.</summary>
public sealed class SettingsTests
{
    private static IConfigurationSection Section(params (string Key, string? Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>($"P:{v.Key}", v.Value))).Build().GetSection("P");

    public static TheoryData<Type> Declaring => [typeof(RetryOptions), typeof(RetryBudgetOptions), typeof(HedgingOptions), typeof(CircuitBreakerOptions),
        typeof(ConcurrencyLimitOptions), typeof(AdaptiveThrottleOptions), typeof(EndpointSetOptions), typeof(EndpointEjectionOptions),
        typeof(AdaptiveConcurrencyLimitOptions), typeof(ChaosOptions)];

    /// <summary>A new option that is forgotten cannot be configured, and one that is set by mistake into another is: this test finds both.</summary>
    [Theory]
    [MemberData(nameof(Declaring))]
    public void Every_plain_option_has_a_setting_that_sets_it_and_nothing_else(Type type)
    {
        PropertyInfo[] plain = [.. type.GetProperties().Where(p => p.SetMethod is { IsPublic: true } && IsPlain(p.PropertyType) && p.Name != "Name")];
        plain.Should().NotBeEmpty();
        IReadOnlyList<PolicySetting> declared = PolicySettings.Of((PolicyOptions)Activator.CreateInstance(type)!);
        foreach (PropertyInfo option in plain)
        {
            PolicySetting? setting = PolicySetting.Find(declared, option.Name);
            setting.Should().NotBeNull("{0}.{1} must be configurable", type.Name, option.Name);
            object given = Given(Nullable.GetUnderlyingType(option.PropertyType) ?? option.PropertyType), target = Activator.CreateInstance(type)!,
                other = Activator.CreateInstance(type)!;
            setting!.Set(target, given switch { int whole => (long)whole, Enum choice => choice.ToString(), _ => given });
            option.GetValue(target).Should().Be(given, "{0} is set", option.Name);
            foreach (PropertyInfo untouched in plain.Where(p => p != option && p.Name != "MaxDelay"))
                untouched.GetValue(target).Should().Be(untouched.GetValue(other));
        }
    }

    private static bool IsPlain(Type type)
    {
        Type bare = Nullable.GetUnderlyingType(type) ?? type;
        return bare.IsEnum || bare == typeof(int) || bare == typeof(double) || bare == typeof(bool) || bare == typeof(TimeSpan);
    }

    private static object Given(Type type) => type.IsEnum ? Enum.GetValues(type).GetValue(Math.Min(2, Enum.GetValues(type).Length - 1))!
        : type == typeof(int) ? 17 : type == typeof(double) ? 0.75 : type == typeof(bool) ? true : TimeSpan.FromSeconds(17);

    [Fact]
    public void A_section_is_bound_and_an_empty_group_is_a_policy()
    {
        SettingsReading<PipelineSettings> reading = SettingsReader.ReadPipeline(
            Section(
                ("TotalTimeout", "00:00:30"), ("retry:maxretries", "2"), ("Retry:BackoffKind", "linear"), ("Retry:Budget:Ratio", "0.5"),
                    ("CircuitBreaker", null),
                ("Hedging:MaxAttempts", "3"), ("Hedging:Delay", "-00:00:00.001"), ("Hedging:Budget:Unlimited", "true"), ("AcceptedWarnings:0", "RES008")),
            "P");
        reading.Problems.Should().BeEmpty();
        PipelineSettings read = reading.Settings;
        read.Find<TimeoutOptions>("TotalTimeout")!.Timeout.Should().Be(TimeSpan.FromSeconds(30));
        RetryOptions retry = read.Find<RetryOptions>("Retry")!;
        (retry.MaxRetries, retry.BackoffKind, retry.BudgetOptions!.Ratio, retry.Budget).Should().Be((2, BackoffKind.Linear, 0.5, null));
        HedgingOptions hedging = read.Find<HedgingOptions>("hedging")!;
        (hedging.MaxAttempts, hedging.Delay, hedging.Budget!.IsUnlimited).Should().Be((3, Timeout.InfiniteTimeSpan, true));
        read.Find<CircuitBreakerOptions>("CircuitBreaker").Should().NotBeNull();
        read.Find<ConcurrencyLimitOptions>("ConcurrencyLimit").Should().BeNull();
        read.Find<TimeoutOptions>("AttemptTimeout").Should().BeNull();
        read.AcceptedWarnings.Should().Equal("RES008");
        new ResiliencePipelineBuilder().AddPolicies(reading.Settings).Build().Describe().Policies.Select(p => p.Role)
            .Should().Equal(PolicyRole.Timeout, PolicyRole.Retry, PolicyRole.Hedging, PolicyRole.CircuitBreaker);
    }

    [Fact]
    public void All_mistakes_of_form_are_reported_at_once_with_the_paths()
    {
        SettingsReading<PipelineSettings> reading = SettingsReader.ReadPipeline(
            Section(("TotalTimeout", "30"), ("Rety:MaxRetries", "2"), ("Retry:MaxRetrys", "2"), ("CircuitBreaker:Probes", "many"), ("AttemptTimeout:X", "1")), "P");
        reading.Problems.Select(p => p.ToString()).Should().SatisfyRespectively(
            p => p.Should().StartWith("P:AttemptTimeout is a group"),
            p => p.Should().StartWith("P:CircuitBreaker:Probes is 'many', but must be a whole number"),
            p => p.Should().Be("P:Retry:MaxRetrys is not a known setting; did you mean MaxRetries?"),
            p => p.Should().Be("P:Rety is not a known setting; did you mean Retry?"),
            p => p.Should().StartWith("P:TotalTimeout is '30', but must be a span of time"));
    }
}
