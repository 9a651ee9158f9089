using Resilience.Overload;

namespace Resilience;

/// <summary>What classes of criticality are called on the wire, in tags and for people.</summary>
internal static class CriticalityNames
{
    internal static string Of(Criticality criticality) => criticality switch
    {
        Criticality.Sheddable => "sheddable",
        Criticality.SheddablePlus => "sheddable-plus",
        Criticality.Critical => "critical",
        _ => "critical-plus",
    };
}
