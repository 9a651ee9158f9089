using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>What can be wrong about where an adaptive limit stands, beside what holds for every limit.</summary>
internal static class AdaptiveLimitOrder
{
    internal static void Check(OrderCheck check, LimitAlgorithm algorithm, PolicyEnvironment environment)
    {
        if (algorithm == LimitAlgorithm.Gradient && environment.ResultType == typeof(HttpResponseMessage))
        {
            check.Warn("RES017", "the adaptive limit learns from latency in a pipeline of an HttpClient. Where other processes call the same server, each "
                + "measures the queue of the others and takes it for the latency without load, and the limits of all of them rise. Use Signals, or accept "
                + "this finding where this process is the only caller.");
        }

        CountedOverload.Check(check, "adaptive limit", environment.Classifier);
        foreach (PolicyDescription retry in check.InsideAs(PolicyRole.Retry))
            check.Warn("RES019", "the adaptive limit stands outside the retry, so it measures calls with all their attempts and waits and not what the "
                + "dependency takes, and sees one sign of overload for each call. Put it inside.", retry);
    }
}
