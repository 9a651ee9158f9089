using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>Chaos outside of all that could handle it rehearses nothing but the caller.</summary>
internal static class ChaosOrder
{
    private static readonly PolicyRole[] Handlers =
        [PolicyRole.Timeout, PolicyRole.Retry, PolicyRole.CircuitBreaker, PolicyRole.Fallback, PolicyRole.Hedging];

    /// <summary>Asked of the outermost chaos: a handler outside of it handles what is inside as well.</summary>
    internal static void Check(OrderCheck check)
    {
        if (check.OutsideAs([PolicyRole.Chaos, .. Handlers]).Any() || check.InsideAs(Handlers).FirstOrDefault() is not { } handler) return;
        check.Warn("RES012", "chaos stands outside of everything that should handle what it injects, so none of it "
            + "is rehearsed. Put it inside, usually last.", handler);
    }
}
