using Resilience.Events;
using Resilience.Extensibility;

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
