using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Resilience.Extensibility;

namespace Resilience.Configuration;

/// <summary>Reads a section once, by the settings that are declared: what is well-formed becomes a value of the right type, and of the rest it is said what is
/// wrong with it. No key is passed over in silence.</summary>
internal static partial class SettingsReader
{
    internal static SettingsReading<PipelineSettings> ReadPipeline(IConfiguration section, string path) =>
        ReadPipeline(section, path, ConfigurablePolicies.Standard);

    internal static SettingsReading<PipelineSettings> ReadPipeline(IConfiguration section, string path, ConfigurablePolicies policies)
    {
        SettingsReading<SettingsValues> read = Read(section, path, policies.Schema);
        return new(new(policies, read.Settings), read.Problems, read.IsEmpty);
    }

    internal static SettingsReading<SettingsValues> Read(IConfiguration section, string path, SettingsSchema schema)
    {
        List<SettingProblem> problems = [];
        if (section is IConfigurationSection { Value: { Length: > 0 } value }) problems.Add(new(path, $"is '{value}', but must be a group of settings"));
        return new(TakeGroup(section, path, schema.Keys, problems), problems, !section.GetChildren().Any());
    }

    private static SettingsValues TakeGroup(IConfiguration section, string path, IReadOnlyList<PolicySetting> keys, List<SettingProblem> problems)
    {
        SettingsValues values = new();
        foreach (IConfigurationSection child in section.GetChildren())
        {
            string childPath = path.Length == 0 ? child.Key : ConfigurationPath.Combine(path, child.Key);
            if (PolicySetting.Find(keys, child.Key) is { } key)
            {
                if (Take(child, childPath, key, problems) is { } value) values.Add(key, value);
                continue;
            }

            problems.Add(new(childPath, OfUnknown(child.Key, [.. keys.Select(k => k.Name)])));
        }

        return values;
    }

    private static string OfUnknown(string written, string[] known) => KeysOfOthers.Meant(written, known)
        ?? (Spelling.Closest(written, known) is { } meant
            ? $"is not a known setting; did you mean {meant}?"
            : $"is not a known setting; known here are {string.Join(", ", known)}");

    /// <summary>The value of a key; null when it says nothing, or nothing that can be used.</summary>
    private static object? Take(IConfigurationSection child, string path, PolicySetting key, List<SettingProblem> problems)
    {
        // Null is what "{}" and "null" in a JSON file look like; empty is how an environment variable takes a value back.
        string? value = child.Value is { Length: > 0 } text ? text : null;
        switch (key.Kind)
        {
            case PolicySettingKind.Group:
                if (value is not null) problems.Add(new(path, $"is '{value}', but must be a group of settings"));
                return TakeGroup(child, path, key.Settings, problems);
            case PolicySettingKind.Groups:
                if (value is not null) problems.Add(new(path, $"is '{value}', but must be a list of groups"));
                return Some([.. child.GetChildren().Select(item => TakeItem(item, path, key, problems))]);
            case PolicySettingKind.Texts:
                if (value is not null) problems.Add(new(path, $"is '{value}', but must be a list of {key.Noun.Many}"));
                return Some([.. child.GetChildren().Select(item => TakeText(item, path, key, problems)).OfType<string>()]);
        }

        if (child.GetChildren().Any())
        {
            problems.Add(new(path, $"is a group or list, but must be {Allowed(key)}"));
            return null;
        }

        if (value is null) return null;
        object? parsed = Parse(value, key);
        if (parsed is null) problems.Add(new(path, $"is '{value}', but must be {Allowed(key)}"));
        return parsed;
    }

    private static SettingsValues TakeItem(IConfigurationSection item, string path, PolicySetting key, List<SettingProblem> problems)
    {
        string itemPath = ConfigurationPath.Combine(path, item.Key);
        if (item.Value is { Length: > 0 } text) problems.Add(new(itemPath, $"is '{text}', but must be a group of settings"));
        return TakeGroup(item, itemPath, key.Settings, problems);
    }

    private static string? TakeText(IConfigurationSection item, string path, PolicySetting key, List<SettingProblem> problems)
    {
        if (item.Value is { Length: > 0 } text && !item.GetChildren().Any() && Fulfills(text, key.Pattern)) return text;
        string shown = item.Value is { } value ? $"'{value}'" : "a group or nothing";
        problems.Add(new(ConfigurationPath.Combine(path, item.Key), $"is {shown}, but must be a {key.Noun.One}"));
        return null;
    }

    /// <summary>An empty list says nothing.</summary>
    private static IReadOnlyList<TItem>? Some<TItem>(IReadOnlyList<TItem> items) => items.Count == 0 ? null : items;

    /// <summary>The whole of the text; a line break at its end is not passed over.</summary>
    private static bool Fulfills(string text, string? pattern) =>
        pattern is null || Regex.IsMatch(text, $@"^(?:{pattern})\z", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase, TimeSpan.FromSeconds(1));

    private static object? Parse(string value, PolicySetting key) => key.Kind switch
    {
        PolicySettingKind.Flag => bool.TryParse(value, out bool flag) ? flag : null,
        PolicySettingKind.Whole => long.TryParse(value, NumberStyles.Integer, CultureInfo.InvariantCulture, out long whole)
            && (key.Max > int.MaxValue || whole is >= int.MinValue and <= int.MaxValue) ? whole : null,
        PolicySettingKind.Number => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null,
        PolicySettingKind.Span => Span().IsMatch(value) && TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out TimeSpan span) ? span : null,
        PolicySettingKind.Choice => key.Choices.FirstOrDefault(c => string.Equals(c, value, StringComparison.OrdinalIgnoreCase)),
        _ => value,
    };

    private static string Allowed(PolicySetting key) => key.Kind switch
    {
        PolicySettingKind.Flag => "true or false",
        PolicySettingKind.Whole when key is { Min: { } min, Max: { } max } && max < int.MaxValue =>
            string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}"),
        PolicySettingKind.Whole => "a whole number",
        PolicySettingKind.Number => "a number with a point, such as 0.5",
        PolicySettingKind.Span => "a span of time in the form hh:mm:ss, such as 00:00:30 or 00:00:00.250 (a bare number would mean days)",
        PolicySettingKind.Choice => $"one of {string.Join(", ", key.Choices)}",
        _ => "a text",
    };

    /// <summary>Hours, minutes and seconds are all required: TimeSpan.Parse reads "30" as days and "00:30" as minutes.</summary>
    [GeneratedRegex(@"^-?(\d{1,8}\.)?\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,7})?$", RegexOptions.CultureInvariant)]
    private static partial Regex Span();
}
