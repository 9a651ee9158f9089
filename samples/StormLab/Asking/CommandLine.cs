using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;

namespace Resilience.StormLab;

/// <summary>What was asked for: a plan, or help, or everything that is wrong with the question.</summary>
public sealed record Question(StormPlan? Plan, bool WantsHelp, IReadOnlyList<string> Problems);

/// <summary>Reads the arguments. All mistakes are reported in one message, with the option, the value and what is allowed.</summary>
public sealed partial class CommandLine
{
    private readonly List<string> _problems = [];
    private readonly List<KeyValuePair<string, string?>> _values = [];
    private readonly Option[] _options;
    private StormPlan _plan = new() { Settings = new ConfigurationBuilder().Build() };
    private string? _file;
    private string? _scenario;

    private CommandLine() => _options =
    [
        new("--scenario", "NAME|FILE", "outage, spike, slow, flapping, cold-start, or a JSON file", "what happens (default outage)",
            t => (_scenario = t).Length > 0),
        new("--clients", "N", "a whole number from 1 to 200", "how many clients, each with a pipeline of its own (default 10)",
            t => Whole(t, 1, 200, n => _plan = _plan with { Clients = n })),
        new("--load", "PER-SECOND", "a number from 1 to 5000", "calls a second of all clients together (default 350)",
            t => Number(t, 1, 5000, n => _plan = _plan with { Load = n })),
        new("--capacity", "PER-SECOND", "a number from 1 to 10000", "requests a second that the service can serve (default 500)",
            t => Number(t, 1, 10_000, n => _plan = _plan with { Capacity = n })),
        new("--latency", "TIME", "a time from 1ms to 60s", "the mean time the service takes for a request (default 100ms)",
            t => Time(t, 0.001, 60, s => _plan = _plan with { Latency = s })),
        new("--queue", "N|unlimited", "a whole number from 0 to 1000000, or unlimited", "how many requests may wait at the service (default 2000)", Queue),
        new("--duration", "TIME", "a time from 60s to 3600s", "how long load comes in (default 180s)",
            t => Time(t, 60, 3600, s => _plan = _plan with { Duration = s })),
        new("--retry", "N|off", "a whole number from 0 to 100, or off", "retries after the first attempt",
            t => t == "off" ? Set("Retry:Enabled", "false") : Whole(t, 0, 100, _ => Set("Retry:MaxRetries", t))),
        new("--jitter", "KIND", "none, full, equal or decorrelated", "how the waits between attempts are spread", Jitter),
        new("--budget", "RATIO|off", "0, a number from 0.001 to 10, or off", "retries for each call that the budget grants",
            t => t == "off" ? Set("Retry:Budget:Unlimited", "true") : Number(t, 0, 10, n => Set("Retry:Budget:Ratio", t), n => n is 0 or >= 0.001)),
        new("--breaker", "RATIO|off|KEY=VALUE,…", "a number over 0 to 1, off, or keys of CircuitBreaker with values: FailureRatio=0.5,BreakDuration=00:00:05",
            "when circuits open", Breaker),
        new("--timeout", "TIME|off", "a time from 1ms to 1h, or off", "the time of each attempt", t => SetTime("AttemptTimeout", t)),
        new("--deadline", "TIME|off", "a time from 1ms to 1h, or off", "the time of the whole call", t => SetTime("TotalTimeout", t)),
        new("--limit", "N|off", "a whole number from 1 to 1000000, or off", "calls of a client that may run at once",
            t => t == "off" ? Set("ConcurrencyLimit:Enabled", "false") : Whole(t, 1, 1_000_000, _ => Set("ConcurrencyLimit:MaxConcurrent", t))),
        new("--set", "PATH=VALUE", "naive:… or configured:…, a path of the configuration schema, = and a value",
            "any setting: naive:Retry:MaxRetries=5 (may be repeated)", Any),
        new("--settings", "FILE", "a JSON file", "sections \"naive\" and \"configured\", each as under Resilience:Pipelines", t => (_file = t).Length > 0),
        new("--seed", "N", "a whole number", "another story of the same kind (default 1)",
            t => long.TryParse(t, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long n) && Did(() => _plan = _plan with { Seed = n })),
        new("--out", "FOLDER", "a folder", "where the report goes (default storm-report)", t => t.Length > 0 && Did(() => _plan = _plan with { Folder = t })),
    ];

    /// <summary>Reads the arguments.</summary>
    public static Question Read(params string[] arguments) => new CommandLine().ReadAll(arguments);

    /// <summary>What can be asked.</summary>
    public static string Help()
    {
        StringBuilder text = new("The storm lab: a fleet of clients and a service that is short of capacity, in virtual time; naive against configured.\n\n");
        text.Append("  dotnet run --project samples/StormLab [-- options]\n\n");
        foreach (Option option in new CommandLine()._options)
            text.Append(CultureInfo.InvariantCulture, $"  {option.Name + " " + option.Value,-34} {option.Help}\n{"",-37}{option.Allowed}\n");
        text.Append("  --tuning DOCS                      the pictures and numbers of docs/tuning.md, made again\n");
        text.Append("  --help\n\nOptions from --retry to --limit change the \"configured\" side; --set reaches both. Times: 250ms, 1.5s, 2m, 1h.\n");
        text.Append("Findings such as RES008 are logged, as in configuration, unless accepted: --set configured:AcceptedWarnings:0=RES008\nScenarios:\n");
        foreach (Scenario scenario in Scenario.Known) text.Append(CultureInfo.InvariantCulture, $"  {scenario.Name,-11} {scenario.Story}\n");
        text.Append("Overloads, without a limit, with a static one and with one that adapts (--overload NAME [--seed N] [--out FOLDER]):\n");
        foreach (OverloadScenario overload in OverloadScenario.Known) text.Append(CultureInfo.InvariantCulture, $"  {overload.Name,-15} {overload.Story}\n");
        foreach (LayerScenario layers in LayerScenario.Known) text.Append(CultureInfo.InvariantCulture, $"  {layers.Name,-15} {layers.Story}\n");
        return text.ToString();
    }

    private Question ReadAll(string[] arguments)
    {
        if (arguments.Contains("--help") || arguments.Contains("-h")) return new(null, true, []);
        for (int i = 0; i < arguments.Length; i++)
        {
            string[] parts = arguments[i].Split('=', 2);
            if (_options.FirstOrDefault(o => o.Name == parts[0]) is not { } option)
            {
                _problems.Add($"'{arguments[i]}' is no option; there are {string.Join(", ", _options.Select(o => o.Name))} and --help.");
                if (i + 1 < arguments.Length && !arguments[i + 1].StartsWith("--", StringComparison.Ordinal)) i++; // its value
                continue;
            }

            bool isNext = parts.Length == 1 && i + 1 < arguments.Length && !arguments[i + 1].StartsWith("--", StringComparison.Ordinal);
            string? value = parts.Length == 2 ? parts[1] : isNext ? arguments[++i] : null;
            if (value is null) _problems.Add($"{option.Name} has no value, but must have one: {option.Allowed}.");
            else if (!option.Take(value)) _problems.Add($"{option.Name} is '{value}', but must be {option.Allowed}.");
        }

        return Finish(string.Join(' ', arguments));
    }

    private Question Finish(string command)
    {
        Scenario? scenario = _scenario is null ? _plan.Scenario : Scenario.Find(_scenario, _problems);
        if (scenario is not null && scenario.Ends + 20 > _plan.Duration.TotalSeconds)
        {
            _problems.Add(Story.Text($"--duration is {_plan.Duration.TotalSeconds:0.#}s, but must leave 20 s after the end of the trouble, which is at ")
                + Story.Text($"{scenario.Ends:0.#} s: {scenario.Ends + 20:0.#}s or more."));
        }

        IConfiguration settings = FleetSettings.Load(_file, _values, _problems);
        _problems.AddRange(FleetSettings.Problems(settings));
        return new(_problems.Count > 0 ? null : _plan with { Scenario = scenario!, Settings = settings, Command = command }, false, _problems);
    }

    private bool Queue(string text) => text == "unlimited"
        ? Did(() => _plan = _plan with { Queue = null })
        : Whole(text, 0, 1_000_000, n => _plan = _plan with { Queue = n });

    private bool Jitter(string text) => text switch
    {
        "none" or "full" or "equal" => Set("Retry:Jitter", text),
        "decorrelated" => Set("Retry:BackoffKind", "Decorrelated"),
        _ => false,
    };

    private bool Breaker(string text)
    {
        if (text == "off") return Set("CircuitBreaker:Enabled", "false");
        if (!text.Contains('=', StringComparison.Ordinal)) return Number(text, double.Epsilon, 1, _ => Set("CircuitBreaker:FailureRatio", text));
        string[][] pairs = [.. text.Split(',').Select(p => p.Split('=', 2))];
        return pairs.All(p => p is [{ Length: > 0 }, { Length: > 0 }] && Set("CircuitBreaker:" + p[0].Trim(), Written(p[1].Trim())));
    }

    private bool Any(string text)
    {
        string[] parts = text.Split('=', 2);
        if (parts.Length != 2 || !Path().IsMatch(parts[0])) return false;
        _values.Add(new(parts[0], Written(parts[1])));
        return true;
    }

    private bool SetTime(string key, string text) =>
        text == "off" ? Set(key, null) : Time(text, 0.001, 3600, span => Set(key, span.ToString("c", CultureInfo.InvariantCulture)));

    private bool Set(string path, string? value)
    {
        _values.Add(new($"{StormPlan.Configured}:{path}", value));
        return true;
    }

    /// <summary>Short times are written as configuration has them; everything else is left as it is, for the schema to judge.</summary>
    private static string Written(string value)
    {
        string written = value;
        Time(value, 0, 1e6, span => written = span.ToString("c", CultureInfo.InvariantCulture));
        return written;
    }

    private static bool Whole(string text, int min, int max, Action<int> use) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= min && number <= max
            && Did(() => use(number));

    private static bool Number(string text, double min, double max, Action<double> use, Func<double, bool>? isAllowed = null) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out double number)
        && number >= min && number <= max && isAllowed?.Invoke(number) is not false && Did(() => use(number));

    private static bool Time(string text, double min, double max, Action<TimeSpan> use)
    {
        Match match = ShortTime().Match(text);
        if (!match.Success) return false;
        double unit = match.Groups[2].Value switch { "ms" => 0.001, "s" => 1, "m" => 60, _ => 3600 };
        double seconds = double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * unit;
        return seconds >= min && seconds <= max && Did(() => use(TimeSpan.FromSeconds(seconds)));
    }

    private static bool Did(Action action)
    {
        action();
        return true;
    }

    [GeneratedRegex(@"^(\d+(?:\.\d+)?)(ms|s|m|h)$", RegexOptions.CultureInvariant)]
    private static partial Regex ShortTime();

    [GeneratedRegex("^(naive|configured):[A-Za-z:0-9]+$", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex Path();

    private sealed record Option(string Name, string Value, string Allowed, string Help, Func<string, bool> Take);
}
