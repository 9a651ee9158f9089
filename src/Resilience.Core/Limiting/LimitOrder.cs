using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What can be wrong about where a limit stands, of calls at once or of calls in a time.</summary>
internal static class LimitOrder
{
    internal static void CheckConcurrency(OrderCheck check)
    {
        foreach (PolicyDescription retry in check.InsideAs(PolicyRole.Retry))
            check.Warn("RES006", "the concurrency limit stands outside the retry, so a call keeps its place while it waits between attempts. "
                + "Put it inside, unless you mean to count calls in waiting.", retry);
        foreach (PolicyDescription timeout in check.OutsideAs(PolicyRole.Timeout))
        {
            if (check.Policy.QueueWait >= timeout.Timeout)
                check.Warn("RES014", $"a call may wait {TimeText.Of(check.Policy.QueueWait.Value)} in the queue, and the timeout around it is "
                    + $"{TimeText.Of(timeout.Timeout.Value)}: in an overload calls spend all their time waiting and none is left to run. "
                    + "Wait a small part of the timeout.", timeout);
        }

        CheckShared(check);
    }

    internal static void CheckRate(OrderCheck check)
    {
        foreach (PolicyDescription retry in check.InsideAs(PolicyRole.Retry))
        {
            string times = retry.MaxAttempts is null ? "any number of times" : $"{retry.Attempts} times";
            check.Warn("RES016", string.Create(
                CultureInfo.InvariantCulture,
                $"the rate limit stands outside the retry and counts calls, so the dependency may get {times} the rate. Put it inside."), retry);
        }

        CheckShared(check);
    }

    private static void CheckShared(OrderCheck check)
    {
        foreach (PolicyDescription same in check.Inside.Where(check.SharesState))
            check.Warn("RES013", "the same object stands twice in the chain, so each call takes two places, and with one place left it waits for itself. "
                + "Keep one.", same);
    }
}
