namespace Resilience;

/// <summary>When a circuit opens, for how long, and how it finds its way back.</summary>
public sealed class CircuitBreakerOptions : PolicyOptions
{
    /// <summary>Opens when at least this share of the calls in the window failed, given <see cref="MinimumCalls"/>. Over 0 to 1;
    /// null turns the rule off. Default 0.5: half of the calls are lost anyway.</summary>
    public double? FailureRatio { get; set; } = 0.5;

    /// <summary>The fewest calls in the window by which the ratios are judged, 1 or more. Default 20: one failure in two calls proves nothing.</summary>
    public int MinimumCalls { get; set; } = 20;

    /// <summary>The length of the sliding window in time, 10 ms to a day. Default 10 s. Unused when <see cref="SamplingCalls"/> is set.</summary>
    public TimeSpan SamplingDuration { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The length of the sliding window in calls, 1 to 100,000, instead of time. Default null.</summary>
    public int? SamplingCalls { get; set; }

    /// <summary>How many buckets the window is made of, 2 to 60. The window may remember one bucket more than asked. Default 10.</summary>
    public int Buckets { get; set; } = 10;

    /// <summary>Opens when this many calls in a row failed, 1 to 1,000. Default null: off.</summary>
    public int? ConsecutiveFailures { get; set; }

    /// <summary>The time within which the failures in a row must lie. Default null: however long it takes.</summary>
    public TimeSpan? ConsecutiveFailuresWithin { get; set; }

    /// <summary>A call that takes this long is slow, whatever its result, and one that is still under way counts as soon as it has
    /// taken that long. 10 ms to a day. Default null: off.</summary>
    public TimeSpan? SlowCallThreshold { get; set; }

    /// <summary>Opens when at least this share of the calls in the window is slow, given <see cref="MinimumCalls"/>. Over 0 to 1. Default 0.5.</summary>
    public double SlowCallRatio { get; set; } = 0.5;

    /// <summary>How long the circuit stays open the first time, 1 ms to a day. Default 5 s.</summary>
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Each relapse multiplies the break by this, 1 to 100. Default 2: a dependency that keeps failing is asked less and less.</summary>
    public double BreakGrowth { get; set; } = 2;

    /// <summary>The longest break, at least <see cref="BreakDuration"/>, at most a day. Default 1 min.</summary>
    public TimeSpan MaxBreakDuration { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The share of the break that chance may take away, 0 to 1, so that the processes of a fleet do not probe together. Default 0.2.</summary>
    public double BreakJitter { get; set; } = 0.2;

    /// <summary>Whether the break lasts as long as the dependency asks: if the failure that opened the circuit said when to come back
    /// (<c>Retry-After</c>), the break is no shorter than that, but at most <see cref="MaxBreakDuration"/>. Default false: the time is ours.</summary>
    public bool BreakFollowsRetryAfter { get; set; }

    /// <summary>Each such span of health takes back one step of the growth, 1 ms to a day. Default 1 min.</summary>
    public TimeSpan BreakDecay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How many probes may be out at once when the circuit is half open, 1 to 1,000. Default 1.</summary>
    public int Probes { get; set; } = 1;

    /// <summary>How many probes must succeed before the circuit closes, 1 to 1,000. Default null: as many as <see cref="Probes"/>.
    /// The first that fails opens it again.</summary>
    public int? SuccessThreshold { get; set; }

    /// <summary>How long a probe may be silent before it is given up and another is sent, 1 ms to a day. Default 30 s; should be
    /// longer than the attempt's timeout.</summary>
    public TimeSpan ProbeLease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>After closing, the time in which the share of admitted calls grows from <see cref="RampFrom"/> to all, up to a day.
    /// Default zero: all at once.</summary>
    public TimeSpan RampDuration { get; set; } = TimeSpan.Zero;

    /// <summary>The share of calls admitted at the beginning of the ramp, over 0 to 1. Default 0.1.</summary>
    public double RampFrom { get; set; } = 0.1;

    /// <summary>Watch only: the circuit changes its states and tells of it, but rejects no call. Default false.</summary>
    public bool DryRun { get; set; }

    /// <summary>Asked of each failure that would be counted; can only say no: then the call says nothing about the dependency, as if it had been
    /// ignored. An exception means yes. Runs on the thread of the call. Default null: every failure counts that the classifier lets count.
    /// Calls of <see cref="CircuitBreaker.TryEnter(out CircuitPermit)"/> and <see cref="CircuitBreaker.Exit(CircuitPermit, Verdict)"/> by hand
    /// do not ask it.</summary>
    public Func<AttemptResult, bool>? ShouldCount { get; set; }

    /// <summary>Hears of each change of state, once, in order, after it has happened. What it throws is counted and swallowed. For
    /// a policy in a pipeline, <see cref="ResiliencePipelineBuilderExtensions.OnEvent{TBuilder}(TBuilder, Action{ResilienceEvent})"/> hears
    /// the same.</summary>
    public Action<CircuitChanged>? OnChange { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "circuit-breaker";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        CheckRules(check);
        CheckBreak(check);
    }

    /// <summary>All properties are values or delegates, so this is a whole copy.</summary>
    internal CircuitBreakerOptions Copy() => (CircuitBreakerOptions)MemberwiseClone();

    private void CheckRules(OptionsCheck check)
    {
        check.Require(FailureRatio is null or (> 0 and <= 1), nameof(FailureRatio), FailureRatio, "more than 0, at most 1, or null");
        check.Number(nameof(MinimumCalls), MinimumCalls, 1);
        check.Number(nameof(Buckets), Buckets, 2, 60);
        if (SamplingCalls is { } calls)
        {
            check.Number(nameof(SamplingCalls), calls, 1, 100_000); // half of it fits a bucket's counter
            check.Require(MinimumCalls <= calls, nameof(MinimumCalls), MinimumCalls, $"at most SamplingCalls ({calls}), or the circuit can never open");
        }
        else
        {
            check.Span(nameof(SamplingDuration), SamplingDuration, TimeSpan.FromMilliseconds(10));
        }

        check.Require(ConsecutiveFailures is null or (>= 1 and <= 1000), nameof(ConsecutiveFailures), ConsecutiveFailures, "from 1 to 1000, or null");
        check.Require(
            ConsecutiveFailuresWithin is null || (ConsecutiveFailuresWithin > TimeSpan.Zero && ConsecutiveFailuresWithin <= OptionsCheck.MaxSpan),
            nameof(ConsecutiveFailuresWithin), ConsecutiveFailuresWithin, "more than zero, at most a day, or null");
        check.Require(
            ConsecutiveFailuresWithin is null || ConsecutiveFailures is not null,
            nameof(ConsecutiveFailuresWithin), ConsecutiveFailuresWithin, "null unless ConsecutiveFailures is set");
        if (SlowCallThreshold is { } slow) check.Span(nameof(SlowCallThreshold), slow, TimeSpan.FromMilliseconds(10));
        check.Require(SlowCallRatio is > 0 and <= 1, nameof(SlowCallRatio), SlowCallRatio, "more than 0, at most 1");
        check.Require(
            FailureRatio is not null || ConsecutiveFailures is not null || SlowCallThreshold is not null,
            nameof(FailureRatio), FailureRatio, "set, unless ConsecutiveFailures or SlowCallThreshold is: a breaker needs a rule");
    }

    private void CheckBreak(OptionsCheck check)
    {
        TimeSpan millisecond = TimeSpan.FromMilliseconds(1);
        check.Span(nameof(BreakDuration), BreakDuration, millisecond);
        check.Number(nameof(BreakGrowth), BreakGrowth, 1, 100);
        check.Span(nameof(MaxBreakDuration), MaxBreakDuration, millisecond);
        check.Require(MaxBreakDuration >= BreakDuration, nameof(MaxBreakDuration), MaxBreakDuration, $"at least BreakDuration ({BreakDuration})");
        check.Number(nameof(BreakJitter), BreakJitter, 0, 1);
        check.Span(nameof(BreakDecay), BreakDecay, millisecond);
        check.Number(nameof(Probes), Probes, 1, 1000);
        check.Require(SuccessThreshold is null or (>= 1 and <= 1000), nameof(SuccessThreshold), SuccessThreshold, "from 1 to 1000, or null");
        check.Span(nameof(ProbeLease), ProbeLease, millisecond);
        check.Span(nameof(RampDuration), RampDuration, TimeSpan.Zero);
        check.Require(RampFrom is > 0 and <= 1, nameof(RampFrom), RampFrom, "more than 0, at most 1");
    }
}

/// <summary>A circuit has changed its state.</summary>
/// <param name="PipelineName">The pipeline, empty if the breaker is used alone.</param>
/// <param name="PolicyName">The breaker.</param>
/// <param name="From">The state before.</param>
/// <param name="To">The state now.</param>
/// <param name="Epoch">The number of the epoch that began; events come in the order of these numbers, and no change is left out. A number is
/// passed over where a closed circuit was closed by hand, which changes no state.</param>
/// <param name="Cause">What opened the circuit; for a change to half open or closed, what had opened it, or <see cref="TripRule.ByHand"/>
/// for a closing by hand.</param>
/// <param name="BreakDuration">For a change to open: how long the break lasts.</param>
public sealed record CircuitChanged(
    string PipelineName, string PolicyName, CircuitState From, CircuitState To, long Epoch, TripCause Cause, TimeSpan? BreakDuration)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 3;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() =>
        To is CircuitState.Open or CircuitState.Isolated ? ResilienceEventLevel.Warning : ResilienceEventLevel.Information;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => Sentence().With(nameof(From), From).With(nameof(To), To).With(nameof(Key), Key);

    private string Circuit => Key is null ? "circuit" : $"circuit '{Key}'";

    private EventMessage Sentence() => To switch
    {
        CircuitState.Isolated => $"{Circuit} isolated by hand",
        CircuitState.Open when BreakDuration is null => $"{Circuit} opened: {Cause}",
        CircuitState.Open => $"{Circuit} opened for {BreakDuration}: {Cause}",
        CircuitState.HalfOpen => $"{Circuit} half-open, probing; it had opened because {Cause}",
        _ when Cause.Rule == TripRule.ByHand => $"{Circuit} closed by hand",
        _ => $"{Circuit} closed; it had opened because {Cause}",
    };

    /// <summary>For a breaker of <see cref="CircuitBreakerPartitions"/>: its key.</summary>
    public string? Key { get; init; }
}

/// <summary>A circuit breaker rejected a call, or would have rejected it (dry run).</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The breaker.</param>
/// <param name="Entry">Which rejection.</param>
/// <param name="Rejection">Why; null in dry run.</param>
public sealed record CircuitRejected(string PipelineName, string PolicyName, CircuitAdmission Entry, CircuitRejection? Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 4;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Rejection is null) return $"call would have been rejected ({Entry}), dry run";
        string reason = ReasonWithoutNames(Rejection);
        return $"call rejected ({Entry}): {reason}";
    }
}

/// <summary>Adds circuit breakers to a pipeline.</summary>
public static class CircuitBreakerPipelineBuilderExtensions
{
    /// <summary>Adds a circuit breaker with the default options.</summary>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase => builder.AddCircuitBreaker(new CircuitBreakerOptions());

    /// <summary>Adds a circuit breaker.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder, CircuitBreakerOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, environment => new CircuitBreakerPolicy(options, environment));

    /// <summary>Adds a circuit breaker whose options are set by the delegate.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder, Action<CircuitBreakerOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(configure);
        CircuitBreakerOptions options = new();
        configure(options);
        return builder.AddCircuitBreaker(options);
    }

    /// <summary>Adds a breaker that exists already: to share it between pipelines, or to hold it in hand (state, isolate, close).</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder, CircuitBreaker breaker)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(breaker);
        return builder.AddPolicy(new SharedBreakerOptions(breaker.Name), environment => new CircuitBreakerPolicy(breaker, environment));
    }

    /// <summary>Adds one breaker per key: authority, shard, tenant. One key's outage does not stop the others.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="breakers">The breakers by key, with bounded memory.</param>
    /// <param name="keyOf">The key of a call; null or a throw means the empty key.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder, CircuitBreakerPartitions breakers, Func<ResilienceContext, string?> keyOf)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(breakers);
        ArgumentNullException.ThrowIfNull(keyOf);
        return builder.AddPolicy(new SharedBreakerOptions(breakers.Name), environment => new PartitionedBreakerPolicy(breakers, keyOf, environment));
    }

    /// <summary>The options of a breaker that exists were checked when it was made.</summary>
    private sealed class SharedBreakerOptions : PolicyOptions
    {
        internal SharedBreakerOptions(string name) => Name = name;

        protected internal override string Kind => "circuit-breaker";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }
}
