namespace Resilience.Experiments;

/// <summary>What a limit is put through: the rows of the table of peers, and the bars. Twenty servers, 50 ms, exponential where nothing else is said.</summary>
internal static class Scenarios
{
    internal const double Capacity = 400;

    /// <summary>The 99th percentile of an exponential time of 50 ms, in milliseconds.</summary>
    internal const double UnloadedP99 = 230;

    internal static double[] UsualClasses { get; } = [0.1, 0.5, 0.25, 0.15];

    internal static double Fixed(Chance chance, double at) => 0.05;

    internal static Scenario Triple(double seconds) => new() { Name = "triple", Length = seconds, Load = static _ => 3 * Capacity };

    internal static Scenario TripleFixed(double seconds) => Triple(seconds) with { Name = "triple, fixed times", Service = Fixed };

    internal static Scenario AtLoad(double share, double seconds) => new() { Name = $"load {share}", Length = seconds, Load = _ => share * Capacity };

    /// <summary>Half of the servers are gone for a while, under twice the load.</summary>
    internal static Scenario Halved(double from, double until, double seconds) =>
        new() { Name = "halved", Length = seconds, Load = static _ => 2 * Capacity, Servers = t => t >= from && t < until ? 10 : 20 };

    /// <summary>Every call takes twice as long from a moment on, and there are twice as many servers: a new version.</summary>
    internal static Scenario NewNormal(double from, double seconds) => new()
    {
        Name = "new normal",
        Length = seconds,
        Load = static _ => 0.7 * Capacity,
        Servers = t => t < from ? 20 : 40,
        Service = (chance, t) => chance.Exponential(t < from ? 0.05 : 0.1),
    };

    /// <summary>19 of 20 take 10 ms, one takes half a second: 41 % of the capacity.</summary>
    internal static Scenario Bimodal(double seconds) => new()
    {
        Name = "bimodal",
        Length = seconds,
        Load = static _ => 240,
        Service = static (chance, _) => chance.NextDouble() < 0.95 ? 0.01 : 0.5 * (0.5 + chance.NextDouble()),
    };

    internal static Scenario OfServers(int servers, double seconds) =>
        new() { Name = $"{servers} servers", Length = seconds, Load = _ => 60.0 * servers, Servers = _ => servers };

    internal static Scenario TwoASecond(double seconds) => new() { Name = "two a second", Length = seconds, Load = static _ => 2 };

    /// <summary>Three times the load, then hardly any, then three times, then 0.7 times.</summary>
    internal static Scenario Quiet(double from, double until, double endsAt, double seconds) => new()
    {
        Name = "quiet",
        Length = seconds,
        Load = t => t < from ? 1200 : t < until ? 4 : t < endsAt ? 1200 : 280,
    };

    /// <summary>The dependency answers nothing for a while.</summary>
    internal static Scenario Hanging(double from, double until, double seconds) =>
        TripleFixed(seconds) with { Name = "hanging", Hangs = (from, until) };

    /// <summary>The rows of the table, by the names of the reference.</summary>
    internal static IReadOnlyList<(string Name, Scenario Scenario)> Table { get; } =
    [
        ("triple-ten-minutes", Triple(600)), ("triple-hour", Triple(3600)), ("fixed-ten-minutes", TripleFixed(600)), ("fixed-hour", TripleFixed(3600)),
        ("halved", Halved(300, 600, 600)), ("new-normal", NewNormal(300, 900)), ("bimodal", Bimodal(600)), ("few-servers", OfServers(5, 600)),
        ("many-servers", OfServers(200, 120)), ("load-90", AtLoad(0.9, 600)), ("load-95", AtLoad(0.95, 600)), ("two-a-second", TwoASecond(3600)),
    ];
}
