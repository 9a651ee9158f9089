using System.Collections;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;

namespace Resilience.Tests.Configuration;

/// <summary>The schema that gives completion in appsettings.json says what the settings are and what the options accept.</summary>
public sealed class SchemaTests
{
    private const string Spans = @"^-?(\d{1,8}\.)?\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,7})?$";

    private static readonly (SettingsSchema Schema, Type Settings)[] Roots = [(SettingsSchema.Pipeline, typeof(PipelineSettings)), (SettingsSchema.Http, typeof(HttpSettings))];

    [Fact]
    public void The_file_is_what_the_schema_says()
    {
        string file = Path.Combine(Repository.Root, "src", "Resilience.Extensions", "ConfigurationSchema.json");
        string written = Write().ToJsonString(new JsonSerializerOptions { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") File.WriteAllText(file, written);
        File.ReadAllText(file).ReplaceLineEndings("\n").Should().Be(
            written.ReplaceLineEndings("\n"), "the schema changed: look at it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
    }

    [Fact]
    public void Every_setting_is_in_the_schema_with_its_kind_and_the_other_way_round()
    {
        foreach ((SettingsSchema schema, Type settings) in Roots) Compare(schema, settings);

        static void Compare(SettingsSchema schema, Type settings)
        {
            PropertyInfo[] properties = [.. settings.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)];
            schema.Keys.Select(k => k.Name).Should().BeEquivalentTo(properties.Select(p => p.Name), "of {0}", settings.Name);
            foreach (SettingKey key in schema.Keys)
            {
                Type type = properties.Single(p => p.Name == key.Name).PropertyType;
                type = Nullable.GetUnderlyingType(type) ?? type;
                SettingKind kind = type == typeof(bool) ? SettingKind.Flag
                    : type == typeof(int) || type == typeof(long) ? SettingKind.Whole
                    : type == typeof(double) ? SettingKind.Number
                    : type == typeof(TimeSpan) ? SettingKind.Span
                    : type.IsEnum ? SettingKind.Choice
                    : type == typeof(string) ? SettingKind.Text
                    : typeof(IEnumerable<string>).IsAssignableFrom(type) ? key.Kind == SettingKind.Names ? SettingKind.Names : SettingKind.Codes
                    : typeof(IEnumerable).IsAssignableFrom(type) ? SettingKind.Items
                    : SettingKind.Group;
                key.Kind.Should().Be(kind, "of {0}.{1}", settings.Name, key.Name);
                key.Description.Should().EndWith(".");
                if (key.Kind == SettingKind.Group) Compare(key.Group!, type);
                if (key.Kind == SettingKind.Items) Compare(key.Group!, type.GetGenericArguments()[0]);
            }
        }
    }

    [Fact]
    public void The_numbers_that_the_schema_allows_are_those_that_the_options_accept()
    {
        foreach ((string path, SettingKey key) in Numbers(SettingsSchema.Http, ""))
        {
            foreach ((double? bound, double beyond) in new[] { (key.Min, -1.0), (key.Max, +1.0) })
            {
                if (bound is not { } edge) continue;
                bool isOpenAtZero = edge == 0 && key.Description.Contains("more than 0", StringComparison.Ordinal);
                if (!isOpenAtZero) Problems(path, edge).Should().NotContain(p => p.Contains($"{path} ", StringComparison.Ordinal), "{0} = {1} is in the schema", path, edge);
                if (edge is < int.MaxValue) Problems(path, edge + beyond).Should().Contain(p => p.Contains($"{path} ", StringComparison.Ordinal), "{0} = {1} is not in the schema", path, edge + beyond);
            }
        }

        static IEnumerable<(string, SettingKey)> Numbers(SettingsSchema schema, string prefix) => schema.Keys.SelectMany(k =>
            k.Group is { } group ? Numbers(group, $"{prefix}{k.Name}:")
            : k.Kind is SettingKind.Whole or SettingKind.Number ? [($"{prefix}{k.Name}", k)] : []);
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
        SettingsReading<HttpSettings> reading = SettingsReader.ReadHttp(configuration, "");
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
                    ["Pipelines"] = Named("Pipelines by name.", SettingsSchema.Pipeline),
                    ["HttpClients"] = Named("The pipelines of HttpClients by name.", SettingsSchema.Http),
                },
            },
        },
    };

    private static JsonObject Named(string description, SettingsSchema schema) => new()
    {
        ["type"] = "object",
        ["description"] = description,
        ["additionalProperties"] = Write(schema),
    };

    private static JsonObject Write(SettingsSchema schema)
    {
        JsonObject properties = [];
        foreach (SettingKey key in schema.Keys) properties[key.Name] = Write(key);
        return new() { ["type"] = "object", ["description"] = schema.Description, ["properties"] = properties, ["additionalProperties"] = false };
    }

    private static JsonObject Write(SettingKey key)
    {
        if (key.Group is { } group)
        {
            return key.Kind == SettingKind.Items
                ? new() { ["type"] = "array", ["description"] = key.Description, ["items"] = Write(group) }
                : Write(group);
        }

        JsonObject written = new()
        {
            ["type"] = key.Kind switch
            {
                SettingKind.Flag => "boolean",
                SettingKind.Whole => "integer",
                SettingKind.Number => "number",
                SettingKind.Codes or SettingKind.Names => "array",
                _ => "string",
            },
            ["description"] = key.Description,
        };
        if (key.Min is { } min) written["minimum"] = Number(min);
        if (key.Max is { } max and < int.MaxValue) written["maximum"] = Number(max);
        if (key.Kind == SettingKind.Span) written["pattern"] = Spans;
        if (key.Kind == SettingKind.Choice) written["enum"] = new JsonArray([.. key.Choices.Select(c => (JsonNode)c)]);
        if (key.Kind == SettingKind.Names) written["items"] = new JsonObject { ["type"] = "string" };
        if (key.Kind == SettingKind.Codes) written["items"] = new JsonObject { ["type"] = "string", ["pattern"] = "^RES[0-9]{3}$" };
        return written;

        static JsonNode Number(double value) => value == Math.Floor(value) ? (long)value : value;
    }
}
