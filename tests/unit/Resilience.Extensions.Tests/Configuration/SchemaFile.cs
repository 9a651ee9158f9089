using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Resilience.Tests.Configuration;

/// <summary>The schema of a package, for completion in appsettings.json, as the declared settings have it.</summary>
internal static class SchemaFile
{
    private const string Spans = @"^-?(\d{1,8}\.)?\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,7})?$";

    private const string Places =
        "What retries, circuit breakers, limits and timeouts do. Where the sections stand is up to the code; these are the customary places.";

    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Compares the file of a package with what its sections say, and writes it where that is asked for.</summary>
    internal static void Check(string package, params (string Name, string Description, string Section, IReadOnlyList<PolicySetting> Keys)[] groups)
    {
        string file = Path.Combine(Repository.Root, "src", package, "ConfigurationSchema.json");
        string written = Write(groups).ToJsonString(Format) + "\n";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") File.WriteAllText(file, written);
        File.ReadAllText(file).ReplaceLineEndings("\n").Should().Be(
            written.ReplaceLineEndings("\n"), "the schema changed: look at it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
    }

    private static JsonObject Write((string Name, string Description, string Section, IReadOnlyList<PolicySetting> Keys)[] groups)
    {
        JsonObject properties = [];
        foreach ((string name, string description, string section, IReadOnlyList<PolicySetting> keys) in groups)
            properties[name] = new JsonObject { ["type"] = "object", ["description"] = description, ["additionalProperties"] = Write(section, keys) };
        return new()
        {
            ["$schema"] = "http://json-schema.org/draft-07/schema#",
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["Resilience"] = new JsonObject
                {
                    ["type"] = "object",
                    ["description"] = Places,
                    ["properties"] = properties,
                },
            },
        };
    }

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
