namespace Resilience.StormLab;

/// <summary>Services in a chain, each with four attempts, above a dependency that fails for half a minute: lived through without budgets, with them, and with
/// budgets and the mark that travels with an answer. Times are seconds.</summary>
public sealed record LayerScenario
{
    /// <summary>How long load comes in.</summary>
    internal const double Seconds = 120;

    /// <summary>When the dependency fails.</summary>
    internal static (double From, double Until) Trouble { get; } = (30, 60);

    /// <summary>The sides, in their order.</summary>
    public static IReadOnlyList<string> Sides { get; } = ["no budget", "budgets", "budgets, mark"];

    /// <summary>The name.</summary>
    public required string Name { get; init; }

    /// <summary>What happens, in a sentence or two.</summary>
    public required string Story { get; init; }

    /// <summary>How many services there are.</summary>
    public required int Services { get; init; }

    /// <summary>Calls a second of the users.</summary>
    public required double PerSecond { get; init; }

    /// <summary>Retries of the caller on top, which honors no mark and no budget.</summary>
    public int RetriesOnTop { get; init; }

    /// <summary>Those that come with the lab.</summary>
    public static IReadOnlyList<LayerScenario> Known { get; } =
    [
        new()
        {
            Name = "four-layers",
            Story = "Four services call each other, each tries four times, and what the last one calls is dead for half a minute.",
            Services = 4,
            PerSecond = 10,
        },
        new()
        {
            Name = "retrying-sdk",
            Story = "The same with two services, and on top an SDK that tries six times whatever it is told.",
            Services = 2,
            PerSecond = 20,
            RetriesOnTop = 5,
        },
    ];
}
