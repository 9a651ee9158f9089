using Resilience.Extensibility;

namespace Resilience;

/// <summary>What can be wrong about where a circuit breaker stands.</summary>
internal static class CircuitBreakerOrder
{
    internal static void Check(OrderCheck check)
    {
        foreach (PolicyDescription retry in check.InsideAs(PolicyRole.Retry))
            check.Warn("RES002", "the circuit breaker stands outside the retry, so it sees one outcome per call instead of one per attempt, "
                + "and an open circuit does not stop retries that are under way. Put it inside.", retry);
        foreach (PolicyDescription timeout in check.InsideAs(PolicyRole.Timeout))
        {
            if (timeout.Timeout > check.Policy.SamplingWindow)
                check.Warn("RES009", $"the window of the circuit breaker ({TimeText.Of(check.Policy.SamplingWindow.Value)}) is shorter than the timeout "
                    + $"inside it ({TimeText.Of(timeout.Timeout.Value)}): when the dependency hangs, "
                    + "a caller's failure has left the window before its next one arrives. Make the window longer.", timeout);
        }

        foreach (PolicyDescription same in check.Inside.Where(check.SharesState))
            check.Warn("RES013", "the same object stands twice in the chain, so each call is judged twice, and one probe takes two places. Keep one.", same);
    }
}
