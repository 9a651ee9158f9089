using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace Resilience.Tests.Configuration;

/// <summary>The schema that gives completion in appsettings.json says what the settings are and what the options accept.</summary>
public sealed class SchemaTests
{
    [Fact]
    public void The_file_is_what_the_schema_says()
    {
        SettingsSchema pipelines = ConfigurablePolicies.Standard.Schema, http = SettingsSchema.Http;
        SchemaFile.Check(
            "Resilience.Extensions", ("Pipelines", "Pipelines by name.", pipelines.Description, pipelines.Keys),
            ("HttpClients", "The pipelines of HttpClients by name.", http.Description, http.Keys));
    }

    [Fact]
    public void Every_setting_says_what_it_is()
    {
        foreach (SettingsSchema schema in new[] { ConfigurablePolicies.Standard.Schema, SettingsSchema.Http }) Check(schema.Keys);

        static void Check(IReadOnlyList<PolicySetting> settings)
        {
            settings.Select(s => s.Name).Should().OnlyHaveUniqueItems();
            foreach (PolicySetting setting in settings)
            {
                setting.Text.Should().EndWith(".");
                (setting.Settings.Count > 0).Should().Be(setting.Kind is PolicySettingKind.Group or PolicySettingKind.Groups, "of {0}", setting.Name);
                (setting.Choices.Count > 0).Should().Be(setting.Kind == PolicySettingKind.Choice, "of {0}", setting.Name);
                Check(setting.Settings);
            }
        }
    }

    [Fact]
    public void The_numbers_that_the_schema_allows_are_those_that_the_options_accept()
    {
        foreach ((string path, PolicySetting key) in Numbers(SettingsSchema.Http.Keys, ""))
        {
            foreach ((double? bound, double beyond) in new[] { (key.Min, -1.0), (key.Max, +1.0) })
            {
                if (bound is not { } edge) continue;
                bool isOpenAtZero = edge == 0 && key.Text.Contains("more than 0", StringComparison.Ordinal);
                if (!isOpenAtZero)
                    Problems(path, edge).Should().NotContain(p => p.Contains($"{path} ", StringComparison.Ordinal), "{0} = {1} is in the schema", path, edge);
                if (edge is < int.MaxValue) Problems(path, edge + beyond)
                    .Should().Contain(p => p.Contains($"{path} ", StringComparison.Ordinal), "{0} = {1} is not in the schema", path, edge + beyond);
            }
        }

        static IEnumerable<(string, PolicySetting)> Numbers(IReadOnlyList<PolicySetting> keys, string prefix) => keys.SelectMany(k =>
            k.Kind == PolicySettingKind.Group ? Numbers(k.Settings, $"{prefix}{k.Name}:")
            : k.Kind is PolicySettingKind.Whole or PolicySettingKind.Number ? [($"{prefix}{k.Name}", k)] : []);
    }

    private static IEnumerable<string> Problems(string path, double value)
    {
        // What other options must be so that this one is judged by its own range alone.
        (string, string)[] around = path switch
        {
            "CircuitBreaker:FailureRatio" => [("CircuitBreaker:ConsecutiveFailures", "5")],
            "CircuitBreaker:SamplingCalls" => [("CircuitBreaker:MinimumCalls", "1")],
            _ => [],
        };
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection(
            [.. around.Append((path, value.ToString("R", CultureInfo.InvariantCulture))).Select(p => new KeyValuePair<string, string?>(p.Item1, p.Item2))]).Build();
        SettingsReading<SettingsValues> reading = SettingsReader.Read(configuration, "", SettingsSchema.Http);
        if (reading.Problems.Count > 0) return reading.Problems.Select(p => p.ToString());
        StandardResilienceOptions options = new();
        reading.Settings.ApplyTo(options);
        return options.FindProblems().Select(p => $"{SettingsSchema.Http.PathOf(p.Option)} {p.Value}");
    }
}
