using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A circuit breaker rejected the call. One instance per epoch of the circuit: rejecting allocates nothing.</summary>
public sealed class CircuitRejection : Rejection
{
    private readonly BreakerSettings _settings; // those that were in effect when the epoch began
    private readonly Clock _clock;
    private readonly long _untilClockMs;
    private readonly string? _key;
    private readonly DateTimeOffset _since;

    internal CircuitRejection(PolicyEnvironment environment, string? key, CircuitState state, TripCause cause, BreakerSettings settings, long untilClockMs)
        : base(environment.PipelineName, environment.PolicyName)
    {
        State = state;
        Cause = cause;
        _key = key;
        _settings = settings;
        _clock = environment.Clock;
        _since = environment.Clock.Time.GetUtcNow();
        _untilClockMs = untilClockMs;
    }

    /// <summary>Whether the circuit is one of <see cref="CircuitBreakerPartitions"/>, so that <see cref="Reason"/> names a key.</summary>
    internal bool NamesKey => _key is not null;

    /// <summary>The state that rejected.</summary>
    public CircuitState State { get; }

    /// <summary>What opened the circuit.</summary>
    public TripCause Cause { get; }

    /// <inheritdoc/>
    public override DateTimeOffset? Since => _since;

    /// <inheritdoc/>
    /// <remarks>Read at the moment of asking from the monotonic clock: the rest of the break, or of the lease of the probes that are out.
    /// Null while the circuit admits a growing share of the calls: the next one may be among them.</remarks>
    public override TimeSpan? RetryAfter => State == CircuitState.Closed || _untilClockMs == Clock.Never ? null : Left;

    /// <inheritdoc/>
    public override string Reason
    {
        get
        {
            DateTimeOffset now = _clock.Time.GetUtcNow();
            string circuit = $"{Who}: the circuit{(_key is null ? "" : $" of '{_key}'")}", since = Moment(_since, now);
            string until = Ahead(_untilClockMs == Clock.Never ? TimeSpan.MaxValue : Left, now);
            return State switch
            {
                CircuitState.Open => $"{circuit} has been open since {since} because {Explain(Cause)}; it will let a probe through {until}.",
                CircuitState.HalfOpen => Text(
                    $"{circuit} has been half-open since {since}, and {Probes} under way; it had opened because {Explain(Cause)}; ")
                    + $"a probe that does not return loses its place {until}.",
                CircuitState.Closed => Text(
                    $"{circuit} closed at {since} and admits a growing share of the calls, from {_settings.RampFrom * 100:0.##} %, ")
                    + $"and this call was not in it; it had opened because {Explain(Cause)}; it will admit all {until}.",
                _ => $"{circuit} has been isolated by hand since {since}; it stays open until it is closed by hand.",
            };
        }
    }

    /// <inheritdoc/>
    public override ResilienceException ToException() => new CircuitOpenException(this);

    private TimeSpan Left => TimeSpan.FromMilliseconds(Math.Max(0, _untilClockMs - _clock.NowMs));

    /// <summary>The cause with the window and the limit that it was measured by.</summary>
    private string Explain(TripCause cause) => cause.Rule switch
    {
        TripRule.FailureRatio when cause.Bad >= _settings.FailureRatio * cause.Calls => Text(
            $"{Counted(cause)} failed (limit {_settings.FailureRatio * 100:0.##} %)"),
        TripRule.SlowCalls when _settings.SlowCallMs > 0 && cause.Bad >= _settings.SlowCallRatio * cause.Calls => Text(
            $"{Counted(cause)} took {TimeText.Of(TimeSpan.FromMilliseconds(_settings.SlowCallMs))} or longer (limit {_settings.SlowCallRatio * 100:0.##} %)"),
        TripRule.ConsecutiveFailures when _settings.ConsecutiveFailures == 1 => "a call failed, and one failure opens it",
        TripRule.ConsecutiveFailures when _settings.ConsecutiveFailures > 0 && cause.Bad >= _settings.ConsecutiveFailures => Text(
            $"{cause} (limit {_settings.ConsecutiveFailures})"),
        _ => cause.ToString(), // by hand, by a probe, or by a rule that has been changed or switched off since
    };

    private string Counted(TripCause cause) => (cause.Calls, _settings.Shape.Calls) switch
    {
        (1, > 0) => "the only call so far",
        (1, _) => $"the only call in the last {Window}",
        (_, > 0) => Text($"{cause.Bad} of the last {cause.Calls} calls"),
        _ => Text($"{cause.Bad} of {cause.Calls} calls in the last {Window}"),
    };

    private string Probes => _settings.Probes == 1 ? "its only probe is" : Text($"all its probes (at most {_settings.Probes}) are");

    private string Window => TimeText.Of(TimeSpan.FromMilliseconds(_settings.Shape.BucketMs * _settings.Shape.Buckets));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
