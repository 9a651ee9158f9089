using System.Globalization;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Resilience.Fuzz;

/// <summary>Trees of configuration: every value is bound or complained of by its path, never passed over and never thrown at.</summary>
internal static class Settings
{
    private const string Root = "P";

    internal static Oracle Make(Planted planted) => new(
        "settings", bytes => Check(Encoding.UTF8.GetString(bytes), planted),
        ["\n", "=", ":", "Retry", "Retry:MaxRetries=3", "Retry:BaseDelay=00:00:00.1", "Retry:MaxDelay=00:00:09", "Retry:BackoffKind=linear", "Retry:Budget:Ratio=0.5",
            "Retry:Budget:Unlimited=true", "CircuitBreaker:FailureRatio=0.5", "CircuitBreaker:Probes=2", "CircuitBreaker:DryRun=False", "ConcurrencyLimit:MaxConcurrent=10",
            "TotalTimeout=00:00:30", "AttemptTimeout=1.02:03:04.5", "AcceptedWarnings:0=RES008", "AcceptedWarnings=RES008", "AcceptedWarnings:0:x=1", "MaxAuthorities=10",
            "BufferResponses=true", "DeadlineHeader=x", "MaxBufferedResponseBytes=2147483648", "Rety:MaxRetries=2", "30", "NaN", "1e999", "-1", "+7", "0x10", " 5 ", "\0",
            "\u0665", "2147483648", "-00:00:01", "00:60:00", "99999999.00:00:00", "AcceptedWarnings:1=RES008\v", "Retry:Factor=2\v"]);

    private static void Check(string text, Planted planted)
    {
        List<KeyValuePair<string, string?>> said = Lines(text);
        CheckRound(Pipeline, static s => s.Values, said, planted);
        CheckRound(Http, static s => s, said, planted);
        CheckBuilt(said);
    }

    /// <summary>A line is <c>key=value</c>, or a key that holds nothing; a value without a key is the section's own.</summary>
    private static List<KeyValuePair<string, string?>> Lines(string text)
    {
        Dictionary<string, string?> said = new(StringComparer.OrdinalIgnoreCase);
        foreach (string line in text.Split('\n').Take(40))
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            string key = (equals < 0 ? line : line[..equals]).Replace('\v', '\n');
            said[key.Length == 0 ? Root : $"{Root}:{key}"] = equals < 0 ? null : line[(equals + 1)..].Replace('\v', '\n');
        }

        return [.. said];
    }

    private static SettingsReading<PipelineSettings> Pipeline(IConfiguration section) => SettingsReader.ReadPipeline(section, Root);

    private static SettingsReading<SettingsValues> Http(IConfiguration section) => SettingsReader.Read(section, Root, SettingsSchema.Http);

    private static IConfigurationSection Section(IEnumerable<KeyValuePair<string, string?>> said) =>
        new ConfigurationBuilder().AddInMemoryCollection(said).Build().GetSection(Root);

    private static void CheckRound<T>(Func<IConfiguration, SettingsReading<T>> read, Func<T, SettingsValues> valuesOf, List<KeyValuePair<string, string?>> said, Planted planted)
        where T : class
    {
        IConfigurationSection section = Section(said);
        SettingsReading<T> reading = Spoiled(read(section), planted);
        HashSet<string> complained = new(reading.Problems.Select(p => p.Path), StringComparer.OrdinalIgnoreCase);
        foreach (SettingProblem problem in reading.Problems)
        {
            bool isThere = problem.Path == Root || Exists(section, problem.Path[(Root.Length + 1)..]);
            Oracle.Require(isThere && problem.Text.Length > 0, $"a problem at '{problem.Path}', where nothing stands");
        }

        foreach ((string path, string value) in Leaves(section))
        {
            if (Upwards(path).Any(complained.Contains)) continue;
            CheckBound(valuesOf(reading.Settings), path, value);
        }

        List<KeyValuePair<string, string?>> written = [];
        Write(valuesOf(reading.Settings), Root, written);
        SettingsReading<T> again = Spoiled(read(Section(written)), planted);
        Oracle.Require(again.Problems.Count == 0, $"what was bound is not well-formed: {string.Join("; ", again.Problems)}");
        Oracle.Require(again.Settings.Equals(reading.Settings), "what was bound is not bound again");
        if (reading.Settings is SettingsValues http)
        {
            StandardResilienceOptions options = new();
            http.ApplyTo(options);
            Oracle.Require(options.FindProblems().All(p => p.Option.Length > 0), "a problem of no option");
        }
    }

    private static SettingsReading<T> Spoiled<T>(SettingsReading<T> reading, Planted planted)
    {
        if (planted == Planted.PassesOverUnknownKeys)
            return reading with { Problems = [.. reading.Problems.Where(p => !p.Text.StartsWith("is not a known", StringComparison.Ordinal))] };
        if (planted == Planted.SwapsDelays && reading.Settings is PipelineSettings delayed)
            return reading with { Settings = (T)(object)new PipelineSettings(delayed.Policies, Swapped(delayed.Values)) };
        if (planted == Planted.ReadsDays && reading.Settings is PipelineSettings pipeline && reading.Problems.Any(p => p.Text.StartsWith("is '30'", StringComparison.Ordinal)))
        {
            SettingsValues values = new();
            foreach ((PolicySetting setting, object value) in pipeline.Values.All) values.Add(setting, value);
            values.Add(PolicySetting.Find(pipeline.Policies.Schema.Keys, "TotalTimeout")!, TimeSpan.FromDays(30));
            return reading with
            {
                Settings = (T)(object)new PipelineSettings(pipeline.Policies, values),
                Problems = [.. reading.Problems.Where(p => !p.Text.StartsWith("is '30'", StringComparison.Ordinal))],
            };
        }

        return reading;
    }

    /// <summary>A pipeline made of it works, or says all that is wrong, each with its path.</summary>
    private static void CheckBuilt(List<KeyValuePair<string, string?>> said)
    {
        using ServiceProvider services = new ServiceCollection().AddResilience().AddPipeline("fuzzed", Section(said)).Services.BuildServiceProvider();
        try
        {
            services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("fuzzed");
        }
        catch (OptionsValidationException wrong)
        {
            Oracle.Require(wrong.Failures.Any() && wrong.Failures.All(f => f.StartsWith(Root, StringComparison.Ordinal)), $"a complaint without a path: {wrong.Message}");
        }
    }

    private static bool Exists(IConfiguration section, string path) => section.GetSection(path) is { } there && (there.Value is not null || there.GetChildren().Any())
        || section.AsEnumerable(makePathsRelative: true).Any(p => string.Equals(p.Key, path, StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<(string Path, string Value)> Leaves(IConfigurationSection section)
    {
        if (section.Value is { Length: > 0 } value) yield return (section.Path, value);
        foreach ((string Path, string Value) leaf in section.GetChildren().SelectMany(Leaves)) yield return leaf;
    }

    private static IEnumerable<string> Upwards(string path)
    {
        yield return path;
        for (int end = path.LastIndexOf(':'); end > 0; end = path.LastIndexOf(':', end - 1)) yield return path[..end];
    }

    private static SettingsValues Swapped(SettingsValues values)
    {
        SettingsValues swapped = new();
        foreach ((PolicySetting setting, object value) in values.All)
        {
            PolicySetting? other = setting.Name switch
            {
                "BaseDelay" => PolicySetting.Find(StandardPolicies.Get("Retry").Settings, "MaxDelay"),
                "MaxDelay" => PolicySetting.Find(StandardPolicies.Get("Retry").Settings, "BaseDelay"),
                _ => null,
            };
            swapped.Add(other ?? setting, value is SettingsValues group ? Swapped(group) : value);
        }

        return swapped;
    }

    private static void CheckBound(SettingsValues settings, string path, string value)
    {
        object? at = settings;
        foreach (string name in path[(Root.Length + 1)..].Split(':'))
        {
            if (at is IReadOnlyList<string> texts)
            {
                Oracle.Require(texts.Contains(value) && value.Length > 0, $"{path} = {value} is not in the list");
                return;
            }

            at = at switch
            {
                SettingsValues group => group.Find(name),
                IReadOnlyList<SettingsValues> items => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int i) && i < items.Count ? items[i] : null,
                _ => null,
            };
            if (at is IReadOnlyList<SettingsValues>) return; // the indexes of a list need not begin at 0
        }

        bool isSame = at switch
        {
            bool flag => flag == bool.Parse(value),
            long whole => whole == long.Parse(value, CultureInfo.InvariantCulture),
            double number => number.Equals(double.Parse(value, CultureInfo.InvariantCulture)),
            TimeSpan span => span == TimeSpan.Parse(value, CultureInfo.InvariantCulture) && value.Contains(':', StringComparison.Ordinal),
            string word => string.Equals(word, value, StringComparison.OrdinalIgnoreCase),
            _ => false,
        };
        Oracle.Require(isSame, $"{path} = {value} was bound as {at ?? "nothing"} without an error");
    }

    private static void Write(SettingsValues settings, string path, List<KeyValuePair<string, string?>> written)
    {
        written.Add(new(path, null));
        foreach ((PolicySetting setting, object value) in settings.All)
        {
            string at = $"{path}:{setting.Name}";
            switch (value)
            {
                case SettingsValues group:
                    Write(group, at, written);
                    break;
                case IReadOnlyList<SettingsValues> groups:
                    for (int i = 0; i < groups.Count; i++) Write(groups[i], $"{at}:{i}", written);
                    break;
                case IReadOnlyList<string> texts:
                    written.AddRange(texts.Select((text, i) => new KeyValuePair<string, string?>($"{at}:{i}", text)));
                    break;
                default:
                    written.Add(new(at, value is IFormattable shown ? shown.ToString(value is double ? "R" : null, CultureInfo.InvariantCulture) : value.ToString()));
                    break;
            }
        }
    }
}
