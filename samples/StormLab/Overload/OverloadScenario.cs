using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.StormLab;

/// <summary>More calls than a service can serve, lived through three times: with no limit, with a static one and with one that adapts. Times are
/// seconds.</summary>
public sealed record OverloadScenario
{
    /// <summary>How many calls the service serves at once on an ordinary day.</summary>
    internal const int Places = 10;

    /// <summary>The limit of the static side: twice the places, which is right on an ordinary day.</summary>
    internal const int StaticLimit = 20;

    private const double Usual = 70;

    /// <summary>What a call takes on an ordinary day, in the mean: so the service can serve a hundred a second.</summary>
    internal static TimeSpan Latency { get; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long callers wait.</summary>
    internal static TimeSpan Patience { get; } = TimeSpan.FromSeconds(1);

    /// <summary>The name.</summary>
    public required string Name { get; init; }

    /// <summary>What happens, in a sentence or two.</summary>
    public required string Story { get; init; }

    /// <summary>How long load comes in.</summary>
    public required double Seconds { get; init; }

    /// <summary>When it is not an ordinary day.</summary>
    public required (double From, double Until) Trouble { get; init; }

    /// <summary>Calls a second then.</summary>
    public double LoadInTrouble { get; init; } = Usual;

    /// <summary>Calls that are served at once then.</summary>
    public int PlacesInTrouble { get; init; } = Places;

    /// <summary>How much longer a call takes then.</summary>
    public double SlownessInTrouble { get; init; } = 1;

    /// <summary>The share of each class of criticality; null: all calls are alike.</summary>
    public IReadOnlyDictionary<Criticality, double>? Classes { get; init; }

    /// <summary>How many clients have a limit each; 0: the service has one itself.</summary>
    public int Clients { get; init; }

    /// <summary>What the service can serve in a second of the trouble.</summary>
    public double Capacity => PlacesInTrouble / (Latency.TotalSeconds * SlownessInTrouble);

    /// <summary>Those that come with the lab.</summary>
    public static IReadOnlyList<OverloadScenario> Known { get; } =
    [
        new()
        {
            Name = "overload-hour",
            Story = "For an hour three times as many calls come in as the service can serve.",
            Seconds = 3720,
            Trouble = (60, 3660),
            LoadInTrouble = 300,
        },
        new()
        {
            Name = "halved",
            Story = "Half of the service is gone for four minutes, while twice the usual load comes in.",
            Seconds = 420,
            Trouble = (60, 300),
            LoadInTrouble = 140,
            PlacesInTrouble = Places / 2,
        },
        new()
        {
            Name = "new-normal",
            Story = "A new version takes three times as long for a call and serves three times as many at once. Nothing is overloaded, "
                + "and no call should be rejected.",
            Seconds = 420,
            Trouble = (60, 420),
            PlacesInTrouble = 3 * Places,
            SlownessInTrouble = 3,
        },
        new()
        {
            Name = "priority-storm",
            Story = "Batch work floods the service: four times what it can serve, of which a tenth matters most.",
            Seconds = 420,
            Trouble = (60, 360),
            LoadInTrouble = 400,
            Classes = new Dictionary<Criticality, double>
            {
                [Criticality.CriticalPlus] = 0.1,
                [Criticality.Critical] = 0.1,
                [Criticality.SheddablePlus] = 0.2,
                [Criticality.Sheddable] = 0.6,
            },
        },
        new()
        {
            Name = "many-clients",
            Story = "Twenty clients make three times as many calls together as the service can serve. It has no limit of its own and queues without "
                + "end; what helps must be at the clients.",
            Seconds = 660,
            Trouble = (60, 600),
            LoadInTrouble = 300,
            Clients = 20,
        },
    ];

    /// <summary>The stretches of load: before, in and after the trouble.</summary>
    internal IEnumerable<CallLoad> Loads()
    {
        yield return Of(0, Trouble.From, Usual);
        yield return Of(Trouble.From, Trouble.Until, LoadInTrouble);
        if (Trouble.Until < Seconds) yield return Of(Trouble.Until, Seconds, Usual);
    }

    private CallLoad Of(double from, double until, double perSecond) => new()
    {
        PerSecond = perSecond / Math.Max(1, Clients),
        Classes = Classes,
        From = TimeSpan.FromSeconds(from),
        Until = TimeSpan.FromSeconds(until),
    };
}
