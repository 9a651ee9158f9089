using Resilience.Extensibility;

namespace Resilience;

/// <summary>What can be wrong about where an adaptive limit stands, beside what holds for every limit.</summary>
internal static class AdaptiveLimitOrder
{
    internal static void Check(OrderCheck check)
    {
        foreach (PolicyDescription retry in check.InsideAs(PolicyRole.Retry))
            check.Warn("RES019", "the adaptive limit stands outside the retry, so it measures calls with all their attempts and waits and not what the "
                + "dependency takes, and sees one sign of overload for each call. Put it inside.", retry);
    }
}
