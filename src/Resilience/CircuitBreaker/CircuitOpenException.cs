namespace Resilience;

/// <summary>A circuit breaker refused the call: the dependency was not asked.</summary>
public sealed class CircuitOpenException : ResilienceException
{
    internal CircuitOpenException(CircuitRefusal refusal)
        : base(refusal) => State = refusal.State;

    /// <summary>Why: open, half open with all probes out, isolated; or closed, when the circuit is letting calls in again little by little.</summary>
    public CircuitState State { get; }
}

/// <summary>A circuit breaker refused the call. One instance per era of the circuit: refusing allocates nothing.</summary>
public sealed class CircuitRefusal : Refusal
{
    private readonly Clock _clock;
    private readonly long _untilClockMs;
    private readonly DateTimeOffset _since;

    internal CircuitRefusal(string breakerName, CircuitState state, TripCause cause, DateTimeOffset since, Clock clock, long untilClockMs)
        : base(breakerName)
    {
        State = state;
        Cause = cause;
        _since = since;
        _clock = clock;
        _untilClockMs = untilClockMs;
    }

    /// <summary>The state that refused.</summary>
    public CircuitState State { get; }

    /// <summary>What opened the circuit.</summary>
    public TripCause Cause { get; }

    /// <inheritdoc/>
    public override DateTimeOffset? Since => _since;

    /// <inheritdoc/>
    /// <remarks>Read at the moment of asking from the monotonic clock: the rest of the break, or of the lease of the probes that are out.</remarks>
    public override TimeSpan? RetryAfter =>
        _untilClockMs == Clock.Never ? null : TimeSpan.FromMilliseconds(Math.Max(0, _untilClockMs - _clock.NowMs));

    /// <inheritdoc/>
    public override string Reason => State switch
    {
        CircuitState.Open => $"{PolicyName}: the circuit is open since {_since:O}, because {Cause}.",
        CircuitState.HalfOpen => $"{PolicyName}: the circuit is half open since {_since:O} and all its probes are out; it had opened because {Cause}.",
        CircuitState.Closed => $"{PolicyName}: the circuit closed at {_since:O} and admits a growing share of the calls; this one was not in it.",
        _ => $"{PolicyName}: the circuit is held open by hand since {_since:O}.",
    };

    /// <inheritdoc/>
    public override ResilienceException ToException() => new CircuitOpenException(this);
}
