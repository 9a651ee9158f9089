using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>When a circuit opens, for how long, and how it finds its way back.</summary>
public sealed class CircuitBreakerOptions : PolicyOptions
{
    private static readonly PolicySettings<CircuitBreakerOptions> Declared = PolicySettings.For<CircuitBreakerOptions>()
        .Number(nameof(FailureRatio), null, static (o, v) => o.FailureRatio = v == 0 ? null : v, 0, 1,
            "Opens when at least this share of the calls in the window failed; 0 turns the rule off. Default 0.5.")
        .Whole(nameof(MinimumCalls), static o => o.MinimumCalls, static (o, v) => o.MinimumCalls = v, 1, int.MaxValue,
            "The fewest calls in the window by which the ratios are judged. Default 20.")
        .Span(nameof(SamplingDuration), static o => o.SamplingCalls is null ? o.SamplingDuration : null, static (o, v) => o.SamplingDuration = v,
            TimeSpan.FromMilliseconds(10), null, "The length of the window in time, from 10 ms to a day. Default 00:00:10.")
        .Whole(nameof(SamplingCalls), static o => o.SamplingCalls, static (o, v) => o.SamplingCalls = v, 1, 100_000,
            "The length of the window in calls, instead of time.") // half of it fits a bucket's counter
        .Whole(nameof(Buckets), static o => o.Buckets, static (o, v) => o.Buckets = v, 2, 60,
            "How many buckets the window is made of. Default 10.")
        .Whole(nameof(ConsecutiveFailures), static o => o.ConsecutiveFailures, static (o, v) => o.ConsecutiveFailures = v, 1, 1000,
            "Opens when this many calls in a row failed. Default: off.", allowed: "from 1 to 1000, or null")
        .Span(nameof(ConsecutiveFailuresWithin), null, static (o, v) => o.ConsecutiveFailuresWithin = v, TimeSpan.Zero, null,
            "The time within which the failures in a row must lie, more than zero, at most a day.")
        .Span(nameof(SlowCallThreshold), static o => o.SlowCallThreshold, static (o, v) => o.SlowCallThreshold = v, TimeSpan.FromMilliseconds(10), null,
            "A call that takes this long is slow, from 10 ms to a day. Default: off.")
        .Number(nameof(SlowCallRatio), static o => o.SlowCallRatio, static (o, v) => o.SlowCallRatio = v, 0, 1,
            "Opens when at least this share of the calls in the window is slow, more than 0. Default 0.5.", allowed: "more than 0, at most 1", isAboveMin: true)
        .Span(nameof(BreakDuration), static o => o.BreakDuration, static (o, v) => o.BreakDuration = v, TimeSpan.FromMilliseconds(1), null,
            "How long the circuit stays open the first time, from 1 ms to a day. Default 00:00:05.")
        .Number(nameof(BreakGrowth), static o => o.BreakGrowth, static (o, v) => o.BreakGrowth = v, 1, 100,
            "Each relapse multiplies the break by this. Default 2.")
        .Span(nameof(MaxBreakDuration), static o => o.MaxBreakDuration, static (o, v) => o.MaxBreakDuration = v, TimeSpan.FromMilliseconds(1), null,
            "The longest break, from BreakDuration to a day. Default 00:01:00.")
        .Number(nameof(BreakJitter), static o => o.BreakJitter, static (o, v) => o.BreakJitter = v, 0, 1,
            "The share of the break that chance may take away. Default 0.2.")
        .Span(nameof(BreakDecay), static o => o.BreakDecay, static (o, v) => o.BreakDecay = v, TimeSpan.FromMilliseconds(1), null,
            "Each such span of health takes back one step of the growth, from 1 ms to a day. Default 00:01:00.")
        .Flag(nameof(BreakFollowsRetryAfter), static (o, v) => o.BreakFollowsRetryAfter = v,
            "The break lasts as long as the failure that opened the circuit has asked for, at most MaxBreakDuration. Default false.")
        .Whole(nameof(Probes), static o => o.Probes, static (o, v) => o.Probes = v, 1, 1000,
            "How many probes may be out at once when the circuit is half open. Default 1.")
        .Whole(nameof(SuccessThreshold), static o => o.SuccessThreshold, static (o, v) => o.SuccessThreshold = v, 1, 1000,
            "How many probes must succeed before the circuit closes. Default: as many as Probes.", allowed: "from 1 to 1000, or null")
        .Span(nameof(ProbeLease), static o => o.ProbeLease, static (o, v) => o.ProbeLease = v, TimeSpan.FromMilliseconds(1), null,
            "How long a probe may be silent before it is given up, from 1 ms to a day. Default 00:00:30.")
        .Span(nameof(RampDuration), static o => o.RampDuration, static (o, v) => o.RampDuration = v, TimeSpan.Zero, null,
            "After closing, the time in which the share of admitted calls grows to all, up to a day. Default zero.")
        .Number(nameof(RampFrom), static o => o.RampFrom, static (o, v) => o.RampFrom = v, 0, 1,
            "The share of calls admitted at the beginning of the ramp, more than 0. Default 0.1.", allowed: "more than 0, at most 1", isAboveMin: true)
        .Flag(nameof(DryRun), static (o, v) => o.DryRun = v,
            "Watch only: the circuit changes its states and tells of it, but rejects no call. Default false.");

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

    /// <summary>Says how long the break lasts, when a circuit opens: null for the span that was computed. From 1 ms to a day; what lies beyond is
    /// cut, an exception is counted and means the computed span. Default null. <see cref="MaxBreakDuration"/> does not bind it.</summary>
    /// <remarks>Runs on the thread of the call that opens the circuit. Where several calls open it at once each of them asks, and one answer
    /// counts.</remarks>
    public Func<BreakContext, TimeSpan?>? BreakDurationFor { get; set; }

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

    /// <summary>The same for work that has to be awaited: called beside the calls, on the thread pool, in the order of the changes, and one at a
    /// time: the next begins when the task of the one before has ended. No call waits for it. What it throws is counted and swallowed. Default
    /// null.</summary>
    public Func<CircuitChanged, ValueTask>? OnChangeAsync { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "circuit-breaker";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
        check.Require(FailureRatio is null or (> 0 and <= 1), nameof(FailureRatio), FailureRatio, "more than 0, at most 1, or null");
        if (SamplingCalls is { } calls)
            check.Require(MinimumCalls <= calls, nameof(MinimumCalls), MinimumCalls, $"at most SamplingCalls ({calls}), or the circuit can never open");
        check.Require(
            ConsecutiveFailuresWithin is null || (ConsecutiveFailuresWithin > TimeSpan.Zero && ConsecutiveFailuresWithin <= OptionsCheck.MaxSpan),
            nameof(ConsecutiveFailuresWithin), ConsecutiveFailuresWithin, "more than zero, at most a day, or null");
        check.Require(
            ConsecutiveFailuresWithin is null || ConsecutiveFailures is not null,
            nameof(ConsecutiveFailuresWithin), ConsecutiveFailuresWithin, "left out unless ConsecutiveFailures is set");
        check.Require(
            FailureRatio is not null || ConsecutiveFailures is not null || SlowCallThreshold is not null,
            nameof(FailureRatio), FailureRatio ?? (object)"not set",
            "set when neither ConsecutiveFailures nor SlowCallThreshold is: a circuit breaker needs a rule (0 in configuration means not set)");
        string least = BreakDuration <= OptionsCheck.MaxSpan ? $" ({TimeText.Of(BreakDuration)})" : "";
        check.Require(MaxBreakDuration >= BreakDuration, nameof(MaxBreakDuration), MaxBreakDuration, $"at least BreakDuration{least}");
    }
}
