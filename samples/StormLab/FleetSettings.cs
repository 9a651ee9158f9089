using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience.Configuration;

namespace Resilience.StormLab;

/// <summary>The pipelines of both sides, in the form that they have in <c>appsettings.json</c>, and read by the same code.</summary>
public static class FleetSettings
{
    private static readonly string[] Sides = [StormPlan.Naive, StormPlan.Configured];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Puts the settings together: a section of the file stands for a whole side, single values stand over both.</summary>
    internal static IConfiguration Load(string? file, IReadOnlyList<KeyValuePair<string, string?>> values, List<string> problems)
    {
        using Stream embedded = typeof(FleetSettings).Assembly.GetManifestResourceStream("settings.json")!;
        IConfigurationRoot defaults = new ConfigurationBuilder().AddJsonStream(embedded).Build();
        IConfigurationRoot? given = file is null ? null : ReadFile(file, problems);
        Dictionary<string, string?> all = new(StringComparer.OrdinalIgnoreCase);
        foreach (string side in Sides)
        {
            IConfigurationRoot source = given?.GetSection(side).Exists() is true ? given : defaults;
            foreach ((string path, string? value) in source.GetSection(side).AsEnumerable()) all[path] = value;
        }

        foreach ((string path, string? value) in values)
        {
            if (value is null) all.Remove(path);
            else all[path] = value;
        }

        return new ConfigurationBuilder().AddInMemoryCollection(all).Build();
    }

    /// <summary>Everything that is wrong with a side, in the words of the library.</summary>
    internal static IEnumerable<string> Problems(IConfiguration settings)
    {
        foreach (string side in Sides)
        {
            using ServiceProvider services = Register(settings, side, clients: 1, _ => { });
            IEnumerable<string> failures = [];
            try
            {
                services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline(ClientName(1));
            }
            catch (OptionsValidationException wrong)
            {
                failures = wrong.Failures;
            }

            foreach (string failure in failures) yield return failure;
        }
    }

    /// <summary>A container with a pipeline for each client, all from one section.</summary>
    internal static ServiceProvider Register(IConfiguration settings, string side, int clients, Action<ResiliencePipelineBuilderBase> attach)
    {
        ServiceCollection services = new();
        services.AddLogging();
        IResilienceBuilder resilience = services.AddResilience().ConfigureAllPipelines(attach);
        for (int i = 1; i <= clients; i++) resilience.AddPipeline(ClientName(i), settings.GetSection(side));
        return services.BuildServiceProvider();
    }

    /// <summary>The name of a client's pipeline.</summary>
    internal static string ClientName(int number) => string.Create(CultureInfo.InvariantCulture, $"client-{number}");

    /// <summary>What the section of a side says: for those who compute with it.</summary>
    internal static SideOptions Of(IConfiguration settings, string side)
    {
        PipelineSettings read = PipelineSettings.Read(settings.GetSection(side));
        return new()
        {
            TotalTimeout = read.Find<TimeoutOptions>("TotalTimeout")?.Timeout,
            Retry = read.Find<RetryOptions>("Retry"),
            Hedging = read.Find<HedgingOptions>("Hedging"),
            CircuitBreaker = read.Find<CircuitBreakerOptions>("CircuitBreaker"),
            ConcurrencyLimit = read.Find<ConcurrencyLimitOptions>("ConcurrencyLimit"),
            AttemptTimeout = read.Find<TimeoutOptions>("AttemptTimeout")?.Timeout,
        };
    }

    /// <summary>A side as JSON, to be pasted under <c>Resilience:Pipelines:name</c>.</summary>
    public static string ToJson(IConfiguration settings, string side) =>
        Node(settings.GetSection(side))?.ToJsonString(Indented).ReplaceLineEndings("\n") ?? "{}";

    private static JsonNode? Node(IConfigurationSection section)
    {
        IConfigurationSection[] children = [.. section.GetChildren()];
        if (children.Length == 0)
        {
            return section.Value switch
            {
                null or "" => new JsonObject(),
                { } text when bool.TryParse(text, out bool flag) => JsonValue.Create(flag),
                { } text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) => JsonValue.Create(number),
                { } text => JsonValue.Create(text),
            };
        }

        if (children.All(c => int.TryParse(c.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _))) return new JsonArray([.. children.Select(Node)]);
        JsonObject group = [];
        foreach (IConfigurationSection child in children) group[child.Key] = Node(child);
        return group;
    }

    private static IConfigurationRoot? ReadFile(string file, List<string> problems)
    {
        try
        {
            IConfigurationRoot read = new ConfigurationBuilder().AddJsonFile(Path.GetFullPath(file), optional: false).Build();
            foreach (IConfigurationSection child in read.GetChildren().Where(c => !Sides.Contains(c.Key, StringComparer.OrdinalIgnoreCase)))
                problems.Add($"{file}: {child.Key} is not a known section; known are {string.Join(" and ", Sides)}.");
            return read;
        }
        catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            problems.Add($"--settings: '{file}' cannot be read: {error.InnerException?.Message ?? error.Message}");
            return null;
        }
    }
}
