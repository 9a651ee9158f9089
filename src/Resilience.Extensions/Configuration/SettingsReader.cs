using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;

namespace Resilience.Configuration;

/// <summary>Something that is wrong in the configuration.</summary>
/// <param name="Path">The full path of the key.</param>
/// <param name="Text">What is wrong, to be read after the path.</param>
internal sealed record SettingProblem(string Path, string Text)
{
    public override string ToString() => $"{Path} {Text}";
}

/// <summary>What was read from a section.</summary>
/// <param name="Settings">The settings, without the values that could not be read.</param>
/// <param name="Problems">Everything that is wrong with the keys and the form of their values.</param>
/// <param name="IsEmpty">True when the section does not exist or has nothing in it.</param>
internal sealed record SettingsReading<TSettings>(TSettings Settings, IReadOnlyList<SettingProblem> Problems, bool IsEmpty);

/// <summary>Reads a section once, checks it against the schema, and binds what is well-formed: binding never meets a value that it could
/// choke on or a key that it would pass over in silence.</summary>
internal static partial class SettingsReader
{
    internal static SettingsReading<PipelineSettings> ReadPipeline(IConfiguration section, string path)
    {
        Snapshot found = Take(section, path, SettingsSchema.Pipeline);
        PipelineSettings settings = new()
        {
            Retry = found.Has(nameof(PipelineSettings.Retry)) ? new() : null,
            Hedging = found.Has(nameof(PipelineSettings.Hedging)) ? new() : null,
            CircuitBreaker = found.Has(nameof(PipelineSettings.CircuitBreaker)) ? new() : null,
            ConcurrencyLimit = found.Has(nameof(PipelineSettings.ConcurrencyLimit)) ? new() : null,
            Chaos = found.Has(nameof(PipelineSettings.Chaos)) ? new() : null,
        };
        found.ToConfiguration().Bind(settings);
        return new(settings, found.Problems, found.IsEmpty);
    }

    internal static SettingsReading<HttpSettings> ReadHttp(IConfiguration section, string path)
    {
        Snapshot found = Take(section, path, SettingsSchema.Http);
        HttpSettings settings = new()
        {
            Retry = found.Has(nameof(HttpSettings.Retry)) ? new() : null,
            CircuitBreaker = found.Has(nameof(HttpSettings.CircuitBreaker)) ? new() : null,
            ConcurrencyLimit = found.Has(nameof(HttpSettings.ConcurrencyLimit)) ? new() : null,
        };
        found.ToConfiguration().Bind(settings);
        return new(settings, found.Problems, found.IsEmpty);
    }

    private static Snapshot Take(IConfiguration section, string path, SettingsSchema schema)
    {
        Snapshot found = new();
        if (section is IConfigurationSection { Value: { Length: > 0 } value })
            found.Problems.Add(new(path, $"is '{value}', but must be a group of settings"));
        TakeGroup(section, path, "", schema, found);
        return found;
    }

    private static void TakeGroup(IConfiguration section, string path, string prefix, SettingsSchema schema, Snapshot found)
    {
        foreach (IConfigurationSection child in section.GetChildren())
        {
            found.IsEmpty = false;
            string childPath = path.Length == 0 ? child.Key : ConfigurationPath.Combine(path, child.Key);
            if (schema.Find(child.Key) is { } key)
            {
                TakeKey(child, childPath, prefix + key.Name, key, found);
                continue;
            }

            string? meant = Spelling.Closest(child.Key, schema.Keys.Select(k => k.Name));
            found.Problems.Add(new(childPath, meant is null
                ? $"is not a known setting; known here are {string.Join(", ", schema.Keys.Select(k => k.Name))}"
                : $"is not a known setting; did you mean {meant}?"));
        }
    }

    private static void TakeKey(IConfigurationSection child, string path, string name, SettingKey key, Snapshot found)
    {
        // Null is what "{}" and "null" in a JSON file look like; empty is how an environment variable takes a value back.
        string? value = child.Value is { Length: > 0 } text ? text : null;
        if (key.Kind is SettingKind.Names or SettingKind.Items)
        {
            TakeList(child, path, name, key, value, found);
        }
        else if (key.Group is { } group)
        {
            if (value is not null) found.Problems.Add(new(path, $"is '{value}', but must be a group of settings"));
            found.Groups.Add(name);
            TakeGroup(child, path, name + ConfigurationPath.KeyDelimiter, group, found);
        }
        else if (key.Kind == SettingKind.Codes)
        {
            if (value is not null) found.Problems.Add(new(path, $"is '{value}', but must be a list of codes such as RES008"));
            foreach (IConfigurationSection item in child.GetChildren())
            {
                string itemPath = ConfigurationPath.Combine(path, item.Key);
                bool isCode = item.Value is { } code && Code().IsMatch(code) && !item.GetChildren().Any();
                if (isCode) found.Values.Add(new(ConfigurationPath.Combine(name, item.Key), item.Value));
                else found.Problems.Add(new(itemPath, $"is {Show(item)}, but must be a code such as RES008"));
            }
        }
        else if (child.GetChildren().Any())
        {
            found.Problems.Add(new(path, $"is a group or list, but must be {Allowed(key)}"));
        }
        else if (value is not null)
        {
            if (IsWellFormed(value, key)) found.Values.Add(new(name, value));
            else found.Problems.Add(new(path, $"is '{value}', but must be {Allowed(key)}"));
        }
    }

    private static void TakeList(IConfigurationSection list, string path, string name, SettingKey key, string? value, Snapshot found)
    {
        string allowed = key.Kind == SettingKind.Names ? "a list of names" : "a list of groups";
        if (value is not null) found.Problems.Add(new(path, $"is '{value}', but must be {allowed}"));
        foreach (IConfigurationSection item in list.GetChildren())
        {
            string itemPath = ConfigurationPath.Combine(path, item.Key), itemName = ConfigurationPath.Combine(name, item.Key);
            if (key.Group is { } group)
            {
                if (item.Value is { Length: > 0 } text) found.Problems.Add(new(itemPath, $"is '{text}', but must be a group of settings"));
                TakeGroup(item, itemPath, itemName + ConfigurationPath.KeyDelimiter, group, found);
            }
            else if (item.Value is { Length: > 0 } text)
            {
                found.Values.Add(new(itemName, text));
            }
            else
            {
                found.Problems.Add(new(itemPath, $"is {Show(item)}, but must be a name"));
            }
        }
    }

    private static string Show(IConfigurationSection item) => item.Value is { } value ? $"'{value}'" : "a group or nothing";

    private static bool IsWellFormed(string value, SettingKey key) => key.Kind switch
    {
        SettingKind.Flag => bool.TryParse(value, out _),
        SettingKind.Whole => long.TryParse(value, NumberStyles.Integer, CultureInfo.InvariantCulture, out long whole)
            && (key.Max > int.MaxValue || whole is >= int.MinValue and <= int.MaxValue),
        SettingKind.Number => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _),
        SettingKind.Span => Span().IsMatch(value) && TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out _),
        SettingKind.Choice => key.Choices.Contains(value, StringComparer.OrdinalIgnoreCase),
        _ => true,
    };

    private static string Allowed(SettingKey key) => key.Kind switch
    {
        SettingKind.Flag => "true or false",
        SettingKind.Whole => "a whole number",
        SettingKind.Number => "a number with a point, such as 0.5",
        SettingKind.Span => "a span of time in the form hh:mm:ss, such as 00:00:30 or 00:00:00.250 (a bare number would mean days)",
        SettingKind.Choice => $"one of {string.Join(", ", key.Choices)}",
        _ => "a text",
    };

    /// <summary>Hours, minutes and seconds are all required: TimeSpan.Parse reads "30" as days and "00:30" as minutes.</summary>
    [GeneratedRegex(@"^-?(\d{1,8}\.)?\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,7})?$", RegexOptions.CultureInvariant)]
    private static partial Regex Span();

    [GeneratedRegex(@"^RES[0-9]{3}\z", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Code();

    private sealed class Snapshot
    {
        internal List<KeyValuePair<string, string?>> Values { get; } = [];

        internal List<SettingProblem> Problems { get; } = [];

        internal HashSet<string> Groups { get; } = [];

        internal bool IsEmpty { get; set; } = true;

        internal bool Has(string group) => Groups.Contains(group);

        internal IConfigurationRoot ToConfiguration() => new ConfigurationBuilder().AddInMemoryCollection(Values).Build();
    }
}
