using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;

namespace Resilience.Tests.Configuration;

/// <summary>The schema that gives completion in appsettings.json says what the settings are and what the options accept.</summary>
public sealed class SchemaTests
{
    private const string Spans = @"^-?(\d{1,8}\.)?\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,7})?$";

    [Fact]
    public void The_file_is_what_the_schema_says()
    {
        string file = Path.Combine(Repository.Root, "src", "Resilience.Extensions", "ConfigurationSchema.json");
        string written = Write().ToJsonString(
            new JsonSerializerOptions { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") File.WriteAllText(file, written);
        File.ReadAllText(file).ReplaceLineEndings("\n").Should().Be(
            written.ReplaceLineEndings("\n"), "the schema changed: look at it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
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
        SettingsReading<SettingsValues> reading = SettingsReader.ReadHttp(configuration, "");
        if (reading.Problems.Count > 0) return reading.Problems.Select(p => p.ToString());
        StandardResilienceOptions options = new();
        reading.Settings.ApplyTo(options);
        return options.FindProblems().Select(p => $"{SettingsSchema.Http.PathOf(p.Option)} {p.Value}");
    }

    private static JsonObject Write() => new()
    {
        ["$schema"] = "http://json-schema.org/draft-07/schema#",
        ["type"] = "object",
        ["properties"] = new JsonObject
        {
            ["Resilience"] = new JsonObject
            {
                ["type"] = "object",
                ["description"] = "What retries, circuit breakers, limits and timeouts do. Where the sections stand is up to the code; these are the customary places.",
                ["properties"] = new JsonObject
                {
                    ["Pipelines"] = Named("Pipelines by name.", ConfigurablePolicies.Standard.Schema),
                    ["HttpClients"] = Named("The pipelines of HttpClients by name.", SettingsSchema.Http),
                },
            },
        },
    };

    private static JsonObject Named(string description, SettingsSchema schema) => new()
    {
        ["type"] = "object",
        ["description"] = description,
        ["additionalProperties"] = Write(schema.Description, schema.Keys),
    };

    private static JsonObject Write(string description, IReadOnlyList<PolicySetting> keys)
    {
        JsonObject properties = [];
        foreach (PolicySetting key in keys) properties[key.Name] = Write(key);
        return new() { ["type"] = "object", ["description"] = description, ["properties"] = properties, ["additionalProperties"] = false };
    }

    private static JsonObject Write(PolicySetting key)
    {
        if (key.Kind == PolicySettingKind.Group) return Write(key.Text, key.Settings);
        JsonObject written = new()
        {
            ["type"] = key.Kind switch
            {
                PolicySettingKind.Flag => "boolean",
                PolicySettingKind.Whole => "integer",
                PolicySettingKind.Number => "number",
                PolicySettingKind.Texts or PolicySettingKind.Groups => "array",
                _ => "string",
            },
            ["description"] = key.Text,
        };
        if (key.Min is { } min) written["minimum"] = Number(min);
        if (key.Max is { } max and < int.MaxValue) written["maximum"] = Number(max);
        if (key.Kind == PolicySettingKind.Span) written["pattern"] = Spans;
        if (key.Kind == PolicySettingKind.Choice) written["enum"] = new JsonArray([.. key.Choices.Select(c => (JsonNode)c)]);
        if (key.Kind == PolicySettingKind.Groups) written["items"] = Write(key.ItemText!, key.Settings);
        if (key.Kind == PolicySettingKind.Texts) written["items"] = new JsonObject { ["type"] = "string" };
        if (key.Pattern is { } pattern) written["items"]!["pattern"] = $"^{pattern}$";
        return written;

        static JsonNode Number(double value) => value == Math.Floor(value) ? (long)value : value;
    }
}
