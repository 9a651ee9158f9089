using Resilience.Extensibility;

namespace Resilience;

/// <summary>What can be wrong about where a fallback stands: inside of what should see the failure.</summary>
internal static class FallbackOrder
{
    internal static void Check(OrderCheck check)
    {
        foreach (PolicyDescription outer in check.OutsideAs(PolicyRole.Retry, PolicyRole.Hedging))
            check.Warn(
                "RES003", "the fallback stands inside the retry, which therefore never sees a failure and never retries. Put it outside.", outer);
        foreach (PolicyDescription outer in check.OutsideAs(PolicyRole.CircuitBreaker))
            check.Warn(
                "RES004", "the fallback stands inside the circuit breaker, which therefore never sees a failure and never opens. Put it outside.", outer);
    }
}
