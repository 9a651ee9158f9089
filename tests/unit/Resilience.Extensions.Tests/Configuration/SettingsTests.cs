using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace Resilience.Tests.Configuration;

/// <summary>What configuration may contain, and the messages for what is wrong in it.</summary>
public sealed class SettingsTests
{
    private static IConfigurationSection Section(params (string Key, string? Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>($"P:{v.Key}", v.Value))).Build().GetSection("P");

    public static TheoryData<Type, Type, Type> Pairs() => new()
    {
        { typeof(RetrySettings), typeof(RetryOptions), typeof(RetryOptions) },
        { typeof(RetryBudgetSettings), typeof(RetryBudgetOptions), typeof(RetryBudgetOptions) },
        { typeof(HedgingSettings), typeof(HedgingOptions), typeof(HedgingOptions) },
        { typeof(CircuitBreakerSettings), typeof(CircuitBreakerOptions), typeof(CircuitBreakerOptions) },
        { typeof(ConcurrencyLimitSettings), typeof(ConcurrencyLimitOptions), typeof(ConcurrencyLimitOptions) },
        { typeof(ChaosSettings), typeof(ChaosOptions), typeof(ChaosOptions) },
    };

    /// <summary>A new option that is forgotten here cannot be configured: this test finds it.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public void Every_plain_option_has_a_setting_that_is_applied(Type settings, Type options, Type applied)
    {
        PropertyInfo[] plain = [.. options.GetProperties().Where(p => p.SetMethod is { IsPublic: true } && IsPlain(p.PropertyType) && p.Name != "Name")];
        plain.Should().NotBeEmpty();
        foreach (PropertyInfo option in plain)
        {
            PropertyInfo? setting = settings.GetProperty(option.Name);
            setting.Should().NotBeNull("{0}.{1} must be configurable", options.Name, option.Name);
            object given = Given(Nullable.GetUnderlyingType(option.PropertyType) ?? option.PropertyType);
            object said = Activator.CreateInstance(settings)!, target = Activator.CreateInstance(options)!;
            setting!.SetValue(said, given);
            settings.GetMethod("ApplyTo", [applied])!.Invoke(said, [target]);
            option.GetValue(target).Should().Be(given, "{0} is copied", option.Name);
        }
    }

    private static bool IsPlain(Type type)
    {
        Type bare = Nullable.GetUnderlyingType(type) ?? type;
        return bare.IsEnum || bare == typeof(int) || bare == typeof(double) || bare == typeof(bool) || bare == typeof(TimeSpan);
    }

    private static object Given(Type type) => type.IsEnum ? Enum.GetValues(type).GetValue(2)!
        : type == typeof(int) ? 17 : type == typeof(double) ? 0.75 : type == typeof(bool) ? true : TimeSpan.FromSeconds(17);

    [Fact]
    public void A_section_is_bound_and_an_empty_group_is_a_policy()
    {
        SettingsReading<PipelineSettings> reading = SettingsReader.ReadPipeline(
            Section(
                ("TotalTimeout", "00:00:30"), ("retry:maxretries", "2"), ("Retry:BackoffKind", "linear"), ("Retry:Budget:Ratio", "0.5"), ("CircuitBreaker", null),
                ("Hedging:MaxAttempts", "3"), ("Hedging:Delay", "-00:00:00.001"), ("Hedging:Budget:Unlimited", "true"), ("AcceptedWarnings:0", "RES008")),
            "P");
        reading.Problems.Should().BeEmpty();
        reading.Settings.Should().Be(new PipelineSettings
        {
            TotalTimeout = TimeSpan.FromSeconds(30),
            Retry = new() { MaxRetries = 2, BackoffKind = BackoffKind.Linear, Budget = new() { Ratio = 0.5 } },
            Hedging = new() { MaxAttempts = 3, Delay = Timeout.InfiniteTimeSpan, Budget = new() { Unlimited = true } },
            CircuitBreaker = new(),
            AcceptedWarnings = ["RES008"],
        });
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
