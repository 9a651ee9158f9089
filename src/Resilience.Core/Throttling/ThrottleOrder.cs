using Resilience.Extensibility;

namespace Resilience;

/// <summary>What can be wrong about where a throttle stands.</summary>
internal static class ThrottleOrder
{
    internal static void Check(OrderCheck check)
    {
        foreach (PolicyDescription retry in check.InsideAs(PolicyRole.Retry))
            check.Warn("RES019", "the adaptive throttle stands outside the retry, so it counts calls and not what is sent, and does not stop retries. "
                + "Put it inside.", retry);
        foreach (PolicyDescription same in check.Inside.Where(check.SharesState))
            check.Warn("RES013", "the same object stands twice in the chain, so each call is counted twice. Keep one.", same);
    }
}
