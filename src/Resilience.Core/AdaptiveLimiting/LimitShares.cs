using Resilience.Overload;

namespace Resilience;

/// <summary>How many calls of a class may run where there is no queue: the highest all of the limit, the lower ones a share of it.</summary>
internal readonly record struct LimitShares(double Critical, double SheddablePlus, double Sheddable)
{
    /// <summary>The whole for all, as with a queue, which orders them itself.</summary>
    internal static LimitShares Whole { get; } = new(1, 1, 1);

    /// <summary>At least one, or a limit of one would serve the highest class only.</summary>
    internal int BoundOf(Criticality criticality, int limit)
    {
        double share = criticality switch
        {
            Criticality.CriticalPlus => 1,
            Criticality.Critical => Critical,
            Criticality.SheddablePlus => SheddablePlus,
            _ => Sheddable,
        };
        return share >= 1 ? limit : Math.Max(1, (int)Math.Ceiling((limit * share) - 1e-9)); // 1e-9: a product such as 1000 × 0.7 may be just above 700
    }
}
