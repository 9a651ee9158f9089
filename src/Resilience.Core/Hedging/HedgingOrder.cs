using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What can be wrong about where hedging stands, and about its delay.</summary>
internal static class HedgingOrder
{
    private const string Code = "RES011";

    internal static void Check(OrderCheck check)
    {
        CheckOutside(check);
        CheckInside(check);
    }

    private static void CheckOutside(OrderCheck check)
    {
        PolicyDescription hedging = check.Policy;
        foreach (PolicyDescription breaker in check.OutsideAs(PolicyRole.CircuitBreaker))
            check.Warn(Code, "the circuit breaker stands outside the hedging, so a failure that a hedge mended is a success to it, and an open circuit "
                + "does not stop hedges. Put it inside.", breaker);
        foreach (PolicyDescription limit in check.OutsideAs(PolicyRole.ConcurrencyLimit))
            check.Warn(Code, $"the concurrency limit stands outside the hedging, so one place stands for up to {hedging.Attempts} attempts at once. "
                + "Put it inside.", limit);
        foreach (PolicyDescription timeout in check.OutsideAs(PolicyRole.Timeout))
        {
            if (hedging.FirstDelay >= timeout.Timeout)
                check.Warn(Code, $"the total timeout ({TimeText.Of(timeout.Timeout.Value)}) is not longer than the delay of the hedging "
                    + $"({TimeText.Of(hedging.FirstDelay.Value)}), so no hedge ever starts beside a slow attempt. Make the delay shorter.", timeout);
        }
    }

    private static void CheckInside(OrderCheck check)
    {
        PolicyDescription hedging = check.Policy;
        foreach (PolicyDescription inner in check.InsideAs(PolicyRole.Retry, PolicyRole.Hedging))
            check.Warn(Code, string.Create(
                CultureInfo.InvariantCulture,
                $"each hedged attempt repeats by itself: up to {hedging.Attempts} × {inner.Attempts} attempts for one call. "
                + $"Put the retry outside the hedging, and keep one hedging."), inner);
        foreach (PolicyDescription timeout in check.InsideAs(PolicyRole.Timeout))
        {
            if (timeout.Timeout <= hedging.FirstDelay)
                check.Warn(Code, $"the timeout inside ({TimeText.Of(timeout.Timeout.Value)}) ends an attempt before the delay of the hedging "
                    + $"({TimeText.Of(hedging.FirstDelay.Value)}) is over, so no hedge ever runs beside a slow attempt. Make the delay shorter.", timeout);
        }
    }
}
