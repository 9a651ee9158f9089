using Resilience.Extensibility;

namespace Resilience;

/// <summary>The rules over the windows of a breaker: too many failures, too many slow calls, too many calls under way for too long.</summary>
internal static class WindowRules
{
    /// <summary>The rules over the window, asked after something bad was counted (or a duration became known).</summary>
    internal static void Judge(CircuitBreaker breaker, CircuitEpoch epoch, BreakerSettings settings, long startedMs, bool failed)
    {
        long now = breaker.NowMs;
        double share = epoch.IsRamping ? BreakerRules.RampShare(epoch.SinceMs, epoch.UntilMs, now, settings) : 1;
        int minimum = BreakerRules.Minimum(settings.MinimumCalls, share);
        if (settings.SlowCalls is { } slow && startedMs >= 0)
        {
            bool isSlow = now - startedMs >= settings.SlowCallMs;
            slow.Record(settings.Slot(epoch, now), isSlow);
            if (isSlow) CircuitBreakerTelemetry.Slow(breaker.Environment);
            if (isSlow && TripsOnSlowCalls(breaker, epoch, settings, minimum, now)) return;
        }

        if (failed && settings.Failures is not null)
        {
            (int calls, int bad) = settings.SumOfFailures(epoch, now);
            if (BreakerRules.IsTooMany(calls, bad, minimum, settings.FailureRatio)) breaker.Open(epoch, settings, new(TripRule.FailureRatio, calls, bad));
        }
    }

    private static bool TripsOnSlowCalls(CircuitBreaker breaker, CircuitEpoch epoch, BreakerSettings settings, int minimum, long now)
    {
        (int calls, int bad) = settings.SumOfSlowCalls(epoch, now);
        int overdue = Volatile.Read(ref epoch.InFlight)?.Overdue(now, settings.SlowCallMs) ?? 0;
        if (!BreakerRules.IsTooMany(calls + overdue, bad + overdue, minimum, settings.SlowCallRatio)) return false;
        breaker.Open(epoch, settings, new(TripRule.SlowCalls, calls + overdue, bad + overdue));
        return true;
    }

    /// <summary>Calls that hang report nothing, so those who come look for them: one caller per slot of time takes the trouble.</summary>
    internal static bool TripsOnCallsInFlight(CircuitBreaker breaker, CircuitEpoch epoch, BreakerSettings settings, long now)
    {
        if (Volatile.Read(ref epoch.InFlight) is null) return false;
        CallsInFlight inFlight = CircuitEpoch.InFlightOf(epoch, settings);
        if (!inFlight.IsTimeToLook(now) || inFlight.Overdue(now, settings.SlowCallMs) == 0) return false;
        double share = epoch.IsRamping ? BreakerRules.RampShare(epoch.SinceMs, epoch.UntilMs, now, settings) : 1;
        return TripsOnSlowCalls(breaker, epoch, settings, BreakerRules.Minimum(settings.MinimumCalls, share), now);
    }
}
