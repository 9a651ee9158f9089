using Microsoft.Extensions.Configuration;

namespace Resilience.StormLab;

/// <summary>Everything that a run depends on: the same plan makes the same report.</summary>
public sealed record StormPlan
{
    /// <summary>The section of the settings that stands for clients written in a hurry.</summary>
    public const string Naive = "naive";

    /// <summary>The section of the settings that is being tried.</summary>
    public const string Configured = "configured";

    /// <summary>What happens.</summary>
    public Scenario Scenario { get; init; } = Scenario.Known[0];

    /// <summary>How many clients there are, each with a pipeline of its own, as in a process of its own.</summary>
    public int Clients { get; init; } = 10;

    /// <summary>Calls a second on an ordinary day, of all clients together.</summary>
    public double Load { get; init; } = 350;

    /// <summary>Requests a second that the service can serve on an ordinary day.</summary>
    public double Capacity { get; init; } = 500;

    /// <summary>The mean time that the service takes for a request once it is its turn.</summary>
    public TimeSpan Latency { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How many requests may wait at the service; more fail at once. Null: any number.</summary>
    public int? Queue { get; init; } = 2000;

    /// <summary>How long load comes in.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>What chance follows from.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>Where the report goes.</summary>
    public string Folder { get; init; } = "storm-report";

    /// <summary>The pipelines: a section for each side.</summary>
    public required IConfiguration Settings { get; init; }

    /// <summary>How the two sides are called in pictures and tables.</summary>
    public (string Naive, string Configured) Names { get; init; } = (Naive, Configured);

    /// <summary>The command line that makes this run, without the program.</summary>
    public string Command { get; init; } = "";

    /// <summary>How many requests the service serves at once (Little's law: throughput times latency).</summary>
    public int Places => Math.Max(1, (int)Math.Round(Capacity * Latency.TotalSeconds));

    internal string NameOf(string side) => side == Naive ? Names.Naive : Names.Configured;
}
