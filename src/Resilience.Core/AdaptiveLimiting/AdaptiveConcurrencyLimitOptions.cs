using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>How a limit of calls at once finds its size.</summary>
/// <remarks>Time is cut into windows. At the end of each the limit grows, shrinks or stays, by its <see cref="Algorithm"/>. The defaults, and what they were
/// measured against, are in decision 0063.</remarks>
public sealed class AdaptiveConcurrencyLimitOptions : PolicyOptions
{
    /// <summary>The largest limit.</summary>
    internal const int Max = 100_000;

    private const int MaxWaiting = 1_000_000;

    /// <summary>More than this of <see cref="Tolerance"/> × <see cref="ProbeFraction"/>, and a probe does not bring the baseline down.</summary>
    private const double MaxProduct = 0.95;

    private static readonly PolicySettings<AdaptiveConcurrencyLimitOptions> Declared = PolicySettings.For<AdaptiveConcurrencyLimitOptions>()
        .Choice(nameof(Algorithm), static o => o.Algorithm, static (o, v) => o.Algorithm = v,
            "From what the limit learns: Signals (of overload; a client that is one of many) or Gradient (latency; a server, or the sole caller). "
            + "Default Signals.")
        .Whole(nameof(InitialLimit), static o => o.InitialLimit, static (o, v) => o.InitialLimit = v, 1, Max, "How many calls may run at first. Default 20.")
        .Whole(nameof(MinLimit), static o => o.MinLimit, static (o, v) => o.MinLimit = v, 1, Max, "The least limit. Default 1 with Signals, 4 with Gradient.")
        .Whole(nameof(MaxLimit), static o => o.MaxLimit, static (o, v) => o.MaxLimit = v, 1, Max, "The largest limit, a last resort. Default 1000.")
        .Span(nameof(Window), static o => o.Window, static (o, v) => o.Window = v, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(30),
            "How long calls are counted before the limit is judged, from 100 ms to 30 s. Default 00:00:01.")
        .Whole(nameof(MinSamples), static o => o.MinSamples, static (o, v) => o.MinSamples = v, 5, 10_000,
            "How many calls a window must have; it lasts longer until it has. Default 10 with Signals, 20 with Gradient.")
        .Number(nameof(BackoffFactor), static o => o.BackoffFactor, static (o, v) => o.BackoffFactor = v, 0.5, 0.99,
            "By what the limit is multiplied after a window of overload. Default 0.9.")
        .Number(nameof(OverloadShare), static o => o.OverloadShare, static (o, v) => o.OverloadShare = v, 0, 1,
            "The share of calls with a sign of overload above which a window is one of overload; 1: never. Default 0.02.")
        .Span(nameof(LatencyTarget), static o => o.LatencyTarget, static (o, v) => o.LatencyTarget = v, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1),
            "How long a call may take before it counts as slow, from 1 ms to 1 h. Default: none is slow.")
        .Number(nameof(SlowShare), static o => o.SlowShare, static (o, v) => o.SlowShare = v, 0, 1,
            "The share of slow calls above which a window is one of overload; 1: never. Default 0.1.")
        .Number(nameof(Tolerance), static o => o.Tolerance, static (o, v) => o.Tolerance = v, 1.1, 4,
            "Gradient: how many times the baseline latency may be. Default 1.5.")
        .Number(nameof(ProbeFraction), static o => o.ProbeFraction, static (o, v) => o.ProbeFraction = v, 0.1, 0.9,
            "Gradient: the part of the limit at which the baseline is measured. Default 0.5.")
        .Span(nameof(ProbeInterval), static o => o.ProbeInterval, static (o, v) => o.ProbeInterval = v, TimeSpan.FromSeconds(5), TimeSpan.FromHours(1),
            "Gradient: the time between two probes while calls are rejected, give or take 15 %, from 5 s to 1 h. Default 00:00:30.")
        .Whole(nameof(MaxQueued), static o => o.MaxQueued, static (o, v) => o.MaxQueued = v, 0, MaxWaiting, "How many calls may wait for a place. Default 0.")
        .Flag(nameof(QueueFollowsLimit), static (o, v) => o.QueueFollowsLimit = v,
            "Whether as many may wait as may run, where that is more than MaxQueued. Default false.")
        .Span(nameof(MaxWait), static o => o.MaxWait, static (o, v) => o.MaxWait = v, TimeSpan.FromMilliseconds(1), null,
            "How long a call may wait, from 1 ms to a day. Default 00:00:01.")
        .Span(nameof(StandingAfter), static o => o.StandingAfter, static (o, v) => o.StandingAfter = v, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1),
            "How long the queue of a class may not be empty before the newest go first, from 1 ms to 1 min. Default 00:00:00.100.")
        .Span(nameof(StandingWait), static o => o.StandingWait, static (o, v) => o.StandingWait = v, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1),
            "How old a call may be then when its turn comes, from 1 ms to 1 min. Default 00:00:00.005.")
        .Number(nameof(CriticalShare), static o => o.CriticalShare, static (o, v) => o.CriticalShare = v, 0.01, 1,
            "Without a queue: the share of the limit up to which calls of class Critical enter. Default 0.9.")
        .Number(nameof(SheddablePlusShare), static o => o.SheddablePlusShare, static (o, v) => o.SheddablePlusShare = v, 0.01, 1,
            "Without a queue: the share of the limit up to which calls of class SheddablePlus enter. Default 0.8.")
        .Number(nameof(SheddableShare), static o => o.SheddableShare, static (o, v) => o.SheddableShare = v, 0.01, 1,
            "Without a queue: the share of the limit up to which calls of class Sheddable enter. Default 0.7.");

    /// <summary>From what the limit learns. Default <see cref="LimitAlgorithm.Signals"/>. <see cref="LimitAlgorithm.Gradient"/> only where this process is the
    /// sole caller or owns the resource.</summary>
    public LimitAlgorithm Algorithm { get; set; }

    /// <summary>How many calls may run at first, from <see cref="MinLimit"/> to <see cref="MaxLimit"/>. Default 20; while calls are rejected it doubles with
    /// each window until it was too high once.</summary>
    public int InitialLimit { get; set; } = 20;

    /// <summary>The least limit, 1 to 100,000. Default null: 1 with <see cref="LimitAlgorithm.Signals"/>, so that many clients can share few places, and 4 with
    /// <see cref="LimitAlgorithm.Gradient"/>, because fewer make medians noisy.</summary>
    public int? MinLimit { get; set; }

    /// <summary>The largest limit, 1 to 100,000. Default 1,000. A bound of last resort: to reach it is an event, not the normal state.</summary>
    public int MaxLimit { get; set; } = 1_000;

    /// <summary>How long calls are counted before the limit is judged, 100 ms to 30 s. Default 1 s. A window ends when it is over and has
    /// <see cref="MinSamples"/>.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many calls a window must have, 5 to 10,000. Default null: 10 with <see cref="LimitAlgorithm.Signals"/>, 20 with
    /// <see cref="LimitAlgorithm.Gradient"/>.</summary>
    public int? MinSamples { get; set; }

    /// <summary>By what the limit is multiplied after a window of overload, 0.5 to 0.99. Default 0.9.</summary>
    public double BackoffFactor { get; set; } = 0.9;

    /// <summary>The share of calls with a sign of overload above which a window is one of overload, 0 to 1 (never). Default 0.02: one stray 503 does not shrink
    /// the limit.</summary>
    public double OverloadShare { get; set; } = 0.02;

    /// <summary>How long a call may take before it counts as slow, 1 ms to 1 h. Default null: none is slow. It is absolute, so it cannot drift: set it to
    /// your objective.</summary>
    public TimeSpan? LatencyTarget { get; set; }

    /// <summary>The share of slow calls above which a window is one of overload, 0 to 1 (never). Default 0.1.</summary>
    public double SlowShare { get; set; } = 0.1;

    /// <summary>With <see cref="LimitAlgorithm.Gradient"/>: how many times the baseline the median latency may be, 1.1 to 4. Default 1.5. Times
    /// <see cref="ProbeFraction"/> it is at most 0.95: otherwise probes measure a queue, and the limit drifts.</summary>
    public double Tolerance { get; set; } = 1.5;

    /// <summary>With <see cref="LimitAlgorithm.Gradient"/>: the part of the limit at which the baseline is measured, 0.1 to 0.9. Default 0.5.</summary>
    public double ProbeFraction { get; set; } = 0.5;

    /// <summary>With <see cref="LimitAlgorithm.Gradient"/>: the time between two probes while calls are rejected, give or take 15 %, 5 s to 1 h. Default 30 s.
    /// While none is rejected there is no probe.</summary>
    public TimeSpan ProbeInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How many calls may wait for a place, 0 to 1,000,000. Default 0: a call without a place is rejected at once. With a queue places go by class,
    /// and the shares below mean nothing.</summary>
    public int MaxQueued { get; set; }

    /// <summary>Whether as many calls may wait as may run, where that is more than <see cref="MaxQueued"/>. Default false. Means nothing without a
    /// queue.</summary>
    public bool QueueFollowsLimit { get; set; }

    /// <summary>How long a call may wait, 1 ms to a day; never longer than its deadline. Default 1 s.</summary>
    public TimeSpan MaxWait { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the queue of a class may not be empty before its newest go first, 1 ms to 1 min. Default 100 ms. After Maurer, "Fail at
    /// Scale" (2015): a queue that stands serves those who have given up.</summary>
    public TimeSpan StandingAfter { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How old a waiting call may be then when its turn comes, 1 ms to 1 min; older ones are rejected. Default 5 ms.</summary>
    public TimeSpan StandingWait { get; set; } = TimeSpan.FromMilliseconds(5);

    /// <summary>Without a queue: the share of the limit up to which calls of class <see cref="Criticality.Critical"/> enter, 0.01 to 1. Default 0.9; those
    /// of the highest class use all of it. At least one of each class may run.</summary>
    public double CriticalShare { get; set; } = 0.9;

    /// <summary>Without a queue: the same for <see cref="Criticality.SheddablePlus"/>, at most <see cref="CriticalShare"/>. Default 0.8.</summary>
    public double SheddablePlusShare { get; set; } = 0.8;

    /// <summary>Without a queue: the same for <see cref="Criticality.Sheddable"/>, at most <see cref="SheddablePlusShare"/>. Default 0.7.</summary>
    public double SheddableShare { get; set; } = 0.7;

    /// <summary>Says of further failures that they are a sign of overload, beside 429, 503 and their like and attempts that were cut by a timeout. Default
    /// null: none. Runs on the caller's thread; what it throws is counted, and the failure is no sign then.</summary>
    public Func<AttemptResult, bool>? IsOverload { get; set; }

    internal int LeastLimit => MinLimit ?? (Algorithm == LimitAlgorithm.Gradient ? 4 : 1);

    internal int LeastSamples => MinSamples ?? (Algorithm == LimitAlgorithm.Gradient ? 20 : 10);

    /// <inheritdoc/>
    protected internal override string Kind => "adaptive-limit";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
        check.Require(LeastLimit <= MaxLimit, nameof(MinLimit), LeastLimit, Invariant($"at most MaxLimit ({MaxLimit})"));
        check.Require(
            LeastLimit > MaxLimit || (InitialLimit >= LeastLimit && InitialLimit <= MaxLimit), nameof(InitialLimit), InitialLimit,
            Invariant($"from MinLimit ({LeastLimit}) to MaxLimit ({MaxLimit})"));
        check.Require(
            !(Tolerance * ProbeFraction > MaxProduct + 1e-9), nameof(ProbeFraction), ProbeFraction,
            Invariant($"at most {MaxProduct} / Tolerance ({Tolerance}), or the limit would drift"));
        check.Require(
            !(SheddablePlusShare > CriticalShare), nameof(SheddablePlusShare), SheddablePlusShare, Invariant($"at most CriticalShare ({CriticalShare})"));
        check.Require(
            !(SheddableShare > SheddablePlusShare), nameof(SheddableShare), SheddableShare, Invariant($"at most SheddablePlusShare ({SheddablePlusShare})"));
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
