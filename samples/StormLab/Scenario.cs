using System.Text.Json;
using System.Text.Json.Serialization;

namespace Resilience.StormLab;

/// <summary>A stretch of trouble, and how it differs from an ordinary day. Seconds since the run began; factors of what is usual.</summary>
public sealed record Phase
{
    /// <summary>When it begins, in seconds.</summary>
    public required double From { get; init; }

    /// <summary>When it is over, in seconds.</summary>
    public required double Until { get; init; }

    /// <summary>How much more load there is than usual: 0 to 100.</summary>
    public double Load { get; init; } = 1;

    /// <summary>How much of its places the service has: more than 0, at most 100. At least one place is left.</summary>
    public double Capacity { get; init; } = 1;

    /// <summary>How much longer a request takes once it is its turn: 0 to 1000.</summary>
    public double Latency { get; init; } = 1;

    /// <summary>The share of requests that fail at their end: 0 to 1.</summary>
    public double Failures { get; init; }
}

/// <summary>What happens to the service and to the load.</summary>
public sealed record Scenario
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNameCaseInsensitive = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>The name.</summary>
    public required string Name { get; init; }

    /// <summary>What happens, in a sentence.</summary>
    public required string Story { get; init; }

    /// <summary>The trouble, in the order of time; phases do not overlap.</summary>
    public required IReadOnlyList<Phase> Phases { get; init; }

    /// <summary>When the trouble begins, in seconds.</summary>
    [JsonIgnore]
    public double Begins => Phases[0].From;

    /// <summary>When the trouble is over, in seconds.</summary>
    [JsonIgnore]
    public double Ends => Phases[^1].Until;

    /// <summary>Those that come with the lab.</summary>
    public static IReadOnlyList<Scenario> Known { get; } =
    [
        new()
        {
            Name = "outage",
            Story = "The database behind the service is gone for twenty seconds: every request holds its place twenty times as long as usual, and then fails.",
            Phases = [new() { From = 30, Until = 50, Latency = 20, Failures = 1 }],
        },
        new()
        {
            Name = "spike",
            Story = "For ten seconds three times the usual load comes in.",
            Phases = [new() { From = 30, Until = 40, Load = 3 }],
        },
        new()
        {
            Name = "slow",
            Story = "For thirty seconds the service takes eight times as long for each request. Nothing fails.",
            Phases = [new() { From = 30, Until = 60, Latency = 8 }],
        },
        new()
        {
            Name = "flapping",
            Story = "For forty seconds the service fails at once and is well again in turns of five seconds.",
            Phases =
            [
                new() { From = 30, Until = 35, Latency = 0.1, Failures = 1 }, new() { From = 40, Until = 45, Latency = 0.1, Failures = 1 },
                new() { From = 50, Until = 55, Latency = 0.1, Failures = 1 }, new() { From = 60, Until = 65, Latency = 0.1, Failures = 1 },
            ],
        },
        new()
        {
            Name = "cold-start",
            Story = "The service is deployed anew: three seconds without it, then forty in which its caches fill and each request takes longer than usual.",
            Phases =
            [
                new() { From = 30, Until = 33, Latency = 0.1, Failures = 1 }, new() { From = 33, Until = 43, Latency = 5 },
                new() { From = 43, Until = 53, Latency = 3 }, new() { From = 53, Until = 63, Latency = 2 }, new() { From = 63, Until = 73, Latency = 1.2 },
            ],
        },
    ];

    /// <summary>A known one, or one from a file. What is wrong is added to the problems.</summary>
    internal static Scenario? Find(string nameOrFile, List<string> problems)
    {
        if (Known.FirstOrDefault(s => s.Name == nameOrFile) is { } known) return known;
        if (!File.Exists(nameOrFile))
        {
            problems.Add($"--scenario is '{nameOrFile}', but must be one of {string.Join(", ", Known.Select(s => s.Name))}, or a file that exists.");
            return null;
        }

        try
        {
            Scenario read = JsonSerializer.Deserialize<Scenario>(File.ReadAllText(nameOrFile), Json) ?? throw new JsonException("It is empty.");
            return read.Check(nameOrFile, problems) ? read : null;
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            problems.Add($"--scenario: '{nameOrFile}' is no scenario: {error.Message}");
            return null;
        }
    }

    private bool Check(string file, List<string> problems)
    {
        int before = problems.Count;
        if (Phases.Count == 0) problems.Add($"{file}: Phases has nothing in it, but must have one phase at least.");
        double last = 1;
        for (int i = 0; i < Phases.Count; i++)
        {
            Phase phase = Phases[i];
            Require(phase.From >= last, "From", phase.From, i == 0 ? "1 or more: the lab needs a calm beginning to compare with"
                : "no earlier than the end of the phase before");
            Require(phase.Until >= phase.From + 1, "Until", phase.Until, "a second after From at least");
            Require(phase.Load is >= 0 and <= 100, "Load", phase.Load, "0 to 100");
            Require(phase.Capacity is > 0 and <= 100, "Capacity", phase.Capacity, "more than 0, at most 100");
            Require(phase.Latency is >= 0 and <= 1000, "Latency", phase.Latency, "0 to 1000");
            Require(phase.Failures is >= 0 and <= 1, "Failures", phase.Failures, "0 to 1");
            last = phase.Until;

            void Require(bool holds, string name, double value, string allowed)
            {
                if (!holds) problems.Add(FormattableString.Invariant($"{file}: Phases[{i}].{name} is {value}, but must be {allowed}."));
            }
        }

        return problems.Count == before;
    }
}
