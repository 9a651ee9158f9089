using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>What can be wrong about where idempotency stands: each attempt would be a claim of its own.</summary>
internal static class IdempotencyOrder
{
    internal static void Check(OrderCheck check)
    {
        foreach (PolicyDescription retry in check.OutsideAs(PolicyRole.Retry, PolicyRole.Hedging))
            check.Warn("RES010", "the retry stands outside the idempotency, so each attempt asks for the key anew, and after one that broke off it is rejected "
                + "as under way. Put the idempotency outside: then all attempts are one claim.", retry);
    }
}
