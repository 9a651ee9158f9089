using Resilience.Overload;

namespace Resilience;

/// <summary>Which work is rejected at which level of overload. Pure.</summary>
/// <remarks>
/// All work stands on one scale from 0, the most important, to 100. Each class has a band of it, and within its band each request a position.
/// <code>
/// 0        10                                50                    75                   100
/// ├────────┼─────────────────────────────────┼─────────────────────┼─────────────────────┤
///  critical+             critical                  sheddable+             sheddable
/// </code>
/// What stands beyond the cut-off, <c>100 · (1 − level³)</c>, is rejected. The cube and its shape: Netflix, "Prioritized load shedding" (2020).
/// </remarks>
internal static class SheddingRules
{
    private const double All = 100;

    private static readonly (double From, double To)[] Bands = [(75, 100), (50, 75), (10, 50), (0, 10)]; // by class, the least important first

    /// <summary>Up to which position work is served.</summary>
    /// <param name="level">Of overload, 0 to 1.</param>
    internal static double CutOff(double level) => All * (1 - (level * level * level));

    /// <summary>Where a request stands.</summary>
    /// <param name="criticality">Its class.</param>
    /// <param name="within">Its place among its like, 0 or more and less than 1.</param>
    internal static double PositionOf(Criticality criticality, double within)
    {
        (double from, double to) = Bands[(int)criticality];
        return from + ((to - from) * within);
    }

    internal static bool IsServed(Criticality criticality, double within, double cutOff) => PositionOf(criticality, within) < cutOff;
}
