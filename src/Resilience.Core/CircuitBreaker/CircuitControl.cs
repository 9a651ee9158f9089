using Resilience.Extensibility;

namespace Resilience;

/// <summary>What people do to a living breaker: hold it open, close it, change its options.</summary>
internal static class CircuitControl
{
    internal static void Isolate(CircuitBreaker breaker)
    {
        while (true)
        {
            CircuitEpoch epoch = breaker.CurrentEpoch;
            if (epoch.State == CircuitState.Isolated) return;
            CircuitEpoch next = breaker.Next(epoch, CircuitState.Isolated, breaker.NowMs, 0, epoch.Level, new(TripRule.ByHand, 0, 0));
            if (breaker.TryChange(epoch, next)) return;
        }
    }

    internal static void Close(CircuitBreaker breaker)
    {
        while (true)
        {
            CircuitEpoch epoch = breaker.CurrentEpoch;
            if (epoch.State == CircuitState.Closed && epoch.Run.IsFull(breaker.Settings.FullRun))
            {
                // It has opened, and its thread is about to say so; do it for that thread, so that the opening is told before the closing.
                breaker.OpenAfterRun(epoch, breaker.Settings);
                continue;
            }

            CircuitEpoch next = breaker.Next(epoch, CircuitState.Closed, breaker.NowMs, 0, -1, new(TripRule.ByHand, 0, 0));
            if (breaker.TryChange(epoch, next)) return;
        }
    }

    internal static void Update(CircuitBreaker breaker, ref BreakerSettings current, CircuitBreakerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ThrowIfInvalid();
        while (true)
        {
            BreakerSettings former = Volatile.Read(ref current);
            CircuitEpoch epoch = breaker.CurrentEpoch;
            if (epoch.State == CircuitState.Closed && epoch.Run.IsFull(former.FullRun))
            {
                breaker.OpenAfterRun(epoch, former); // by the old options it has opened; a higher limit does not undo that
                continue;
            }

            // Options are read once, and whole: the last of two racing updates wins with all of them.
            BreakerSettings next = BreakerSettings.From(options, former, epoch, breaker.NowMs);
            if (former.ConsecutiveFailures == 0) epoch.Run.TryEnd(int.MaxValue); // the run was not ended while the rule was off

            // Release: publishes the new settings; pairs with the reads of the settings.
            if (Interlocked.CompareExchange(ref current, next, former) != former) continue;
            Settle(breaker, next);
            return;
        }
    }

    /// <summary>What has been counted may be enough by the new options: that changes the circuit now, not at the next call.</summary>
    private static void Settle(CircuitBreaker breaker, BreakerSettings settings)
    {
        CircuitEpoch epoch = breaker.CurrentEpoch;
        if (epoch.State == CircuitState.Closed && epoch.Run.IsFull(settings.FullRun))
            breaker.OpenAfterRun(epoch, settings);
        else if (epoch.State == CircuitState.HalfOpen && new ProbeWord(Volatile.Read(ref epoch.Probes)).Good >= settings.SuccessThreshold)
            breaker.CloseAfterProbing(epoch, settings);
    }
}
