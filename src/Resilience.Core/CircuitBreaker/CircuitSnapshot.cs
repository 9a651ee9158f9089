namespace Resilience.Extensibility;

/// <summary>A moment's view of a circuit breaker.</summary>
/// <param name="State">The state, derived from the time.</param>
/// <param name="Epoch">The number of the epoch.</param>
public sealed record CircuitSnapshot(CircuitState State, long Epoch)
{
    /// <summary>Calls in the window (closed only).</summary>
    public int Calls { get; init; }

    /// <summary>Failed calls in the window (closed only).</summary>
    public int Failures { get; init; }

    /// <summary>Slow calls in the window (closed only, when durations are watched).</summary>
    public int SlowCalls { get; init; }

    /// <summary>Calls under way for longer than the slow-call threshold (closed only).</summary>
    public int OverdueCalls { get; init; }

    /// <summary>Failures in a row (closed only, when that rule is on).</summary>
    public int ConsecutiveFailures { get; init; }

    /// <summary>Probes under way (half open only).</summary>
    public int ProbesOut { get; init; }

    /// <summary>Probes that succeeded (half open only).</summary>
    public int ProbesSucceeded { get; init; }

    /// <summary>How long the state has lasted.</summary>
    public TimeSpan InState { get; init; }

    /// <summary>The rest of the break; zero when it is over and no call has probed yet; null when the circuit is not open.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>What opened the circuit, or had opened it before it closed; <see cref="TripRule.ByHand"/> when it was closed by hand.</summary>
    public TripCause Cause { get; init; }

    /// <summary>What rejected callers are told; null when no call is rejected.</summary>
    public CircuitRejection? Rejection { get; init; }

    /// <summary>The share of failed calls at which the circuit opens; null when that rule is off.</summary>
    public double? OpensAtFailureRatio { get; init; }

    /// <summary>How many failures in a row open the circuit; null when that rule is off.</summary>
    public int? OpensAtConsecutiveFailures { get; init; }

    /// <summary>The fewest calls in the window by which ratios are judged.</summary>
    public int MinimumCalls { get; init; }

    internal static CircuitSnapshot Of(CircuitEpoch epoch, BreakerSettings settings, long now)
    {
        bool isClosed = epoch.State == CircuitState.Closed;
        (int calls, int failures) = isClosed ? settings.SumOfFailures(epoch, now) : (0, 0);
        (int timed, int slow) = isClosed ? settings.SumOfSlowCalls(epoch, now) : (0, 0);
        ProbeWord probes = new(epoch.State == CircuitState.HalfOpen ? Volatile.Read(ref epoch.Probes) : 0);
        return new(BreakerRules.Seen(epoch.State, epoch.UntilMs, now), epoch.Epoch)
        {
            Calls = Math.Max(calls, timed),
            Failures = failures,
            SlowCalls = slow,
            OverdueCalls = isClosed && settings.WatchesDuration ? Volatile.Read(ref epoch.InFlight)?.Overdue(now, settings.SlowCallMs) ?? 0 : 0,
            ConsecutiveFailures = isClosed && settings.ConsecutiveFailures > 0 ? epoch.Run.Length : 0,
            ProbesOut = probes.Out,
            ProbesSucceeded = probes.Good,
            InState = TimeSpan.FromMilliseconds(Math.Max(0, now - epoch.SinceMs)),
            RetryAfter = epoch.State == CircuitState.Open ? TimeSpan.FromMilliseconds(Math.Max(0, epoch.UntilMs - now)) : null,
            Cause = epoch.Cause,
            Rejection = epoch.Rejection,
            OpensAtFailureRatio = double.IsInfinity(settings.FailureRatio) ? null : settings.FailureRatio,
            OpensAtConsecutiveFailures = settings.ConsecutiveFailures > 0 ? settings.ConsecutiveFailures : null,
            MinimumCalls = settings.MinimumCalls,
        };
    }
}
