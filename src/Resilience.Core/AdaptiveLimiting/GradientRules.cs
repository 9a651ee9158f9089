namespace Resilience;

/// <summary>A limit that learns from latency: it shrinks while the median is above <see cref="LimitTerms.Tolerance"/> times the baseline, and grows
/// otherwise.</summary>
/// <remarks>
/// <para>The baseline may rise in two places only: while few of the places are used, and in a probe, which measures at
/// <see cref="LimitTerms.ProbeFraction"/> of the limit. Saturated at a limit L over c servers latency is s·L/c, so L settles at τ·(B/s)·c and a probe at p·L
/// measures max(s, τ·p·B): with τ·p &lt; 1 each probe brings the baseline nearer to the service time s, and it cannot drift.</para>
/// <para>Growth by √L happens only where latency is within what is tolerated: headroom that is added regardless is what makes Netflix's Gradient2 drift
/// (concurrency-limits#134). Decision 0063 has the measurements.</para>
/// </remarks>
internal sealed class GradientRules(LimitTerms terms) : LimitRules(terms)
{
    internal const double MaxProbeMs = 10_000;

    /// <summary>A probe is over when it has so many samples, and lasts as long as below: shorter ones see only the short calls, which end first.</summary>
    private const int ProbeSamples = 100;

    private const int FewProbeSamples = 10;
    private const double ShortestProbeMs = 250;
    private const double PatientProbeMs = 3_000;
    private const double ProbeBaselines = 4;

    /// <summary>How soon a probe follows when something seems wrong.</summary>
    private const double UrgentProbeMs = 5_000;

    private const int WindowsToProbe = 5;
    private const double BaselineWeight = 0.1;
    private const double LeastGradient = 0.5;
    private const double Smoothing = 0.5;
    private const double ProbeJitter = 0.3; // from 0.85 to 1.15 of the interval

    internal override LimitState Begin(double nowMs, int epoch, double draw) =>
        new() { Limit = Terms.InitialLimit, IsSlowStart = true, IsFresh = true, LastProbeMs = nowMs, ProbeAfterMs = NextProbe(draw), Epoch = epoch };

    internal override double LeastMs(LimitState state) =>
        state.IsProbing ? Math.Min(Math.Max(ShortestProbeMs, ProbeBaselines * state.BaselineMs), PatientProbeMs) : base.LeastMs(state);

    internal override bool IsOver(LimitState state, double elapsedMs, long samples, long overloads)
    {
        if (!state.IsProbing) return base.IsOver(state, elapsedMs, samples, overloads);
        return (samples >= ProbeSamples && elapsedMs >= Math.Max(ShortestProbeMs, ProbeBaselines * state.BaselineMs))
            || (samples >= FewProbeSamples && elapsedMs >= PatientProbeMs)
            || elapsedMs >= MaxProbeMs;
    }

    internal override LimitStep Judge(LimitState state, in LimitWindow window, double draw)
    {
        if (state.IsProbing) return EndProbe(state, window, draw);
        double latency = window.MedianMs;
        if (IsOverload(window)) return BackOff(state with { LatencyMs = latency });
        if (window.Samples * 2 < Terms.MinSamples) return new(state, LimitDecision.Hold); // most were signs of overload, which the options switch off
        double baseline = state.BaselineMs == 0 ? latency : state.BaselineMs;
        if (window.PeakRunning < state.Limit / 2 && window.Rejected == 0)
        {
            LimitState idle = state with { BaselineMs = Towards(baseline, latency), WindowsBelow = 0, LatencyMs = latency, Gradient = 1 };
            return idle.Limit > Terms.InitialLimit && idle.Limit > 5 * window.PeakRunning
                ? Move(idle, Math.Max(Terms.InitialLimit, idle.Limit - Math.Max(1, 0.05 * idle.Limit)), LimitDecision.Idle)
                : new(idle, LimitDecision.Hold);
        }

        if (latency < baseline) baseline = Towards(baseline, latency);
        double gradient = Math.Clamp(Terms.Tolerance * baseline / latency, LeastGradient, 1);
        LimitState next = state with { BaselineMs = baseline, LatencyMs = latency, Gradient = gradient };
        LimitStep step = gradient < 1 ? Shrink(next) : Grow(next with { WindowsBelow = 0 }, window);
        return IsProbeDue(step.State, window) ? BeginProbe(step.State, window) : step;
    }

    private LimitStep Shrink(LimitState state) => Move(
        state with { IsSlowStart = false, WindowsBelow = state.WindowsBelow + 1 },
        ((1 - Smoothing) * state.Limit) + (Smoothing * state.Gradient * state.Limit),
        LimitDecision.Shrink);

    private LimitStep Grow(LimitState state, in LimitWindow window)
    {
        if (!window.IsBound(state.Limit)) return new(state, LimitDecision.Hold);
        return state.IsSlowStart
            ? Move(state, 2 * state.Limit, LimitDecision.SlowStart)
            : Move(state, state.Limit + Math.Max(1, Math.Sqrt(state.Limit)), LimitDecision.Grow);
    }

    /// <summary>A probe costs places, so there is one only while calls are rejected anyway; or when latency has been high for a while, which may be a new
    /// baseline.</summary>
    private static bool IsProbeDue(LimitState state, in LimitWindow window)
    {
        double since = window.NowMs - state.LastProbeMs;
        bool isRejecting = window.Rejected > 0.01 * (window.Answers + window.Rejected);
        return (isRejecting && since >= state.ProbeAfterMs) || (state.WindowsBelow >= WindowsToProbe && since >= UrgentProbeMs);
    }

    private LimitStep BeginProbe(LimitState state, in LimitWindow window) => new(
        state with
        {
            IsProbing = true,
            SavedLimit = state.Limit,
            Limit = Math.Max(Terms.MinLimit, Terms.ProbeFraction * Math.Min(state.Limit, window.PeakRunning)),
            Epoch = state.Epoch + 1,
        },
        LimitDecision.Probe);

    /// <summary>The baseline is what was measured, up or down; without measurements it stays.</summary>
    private LimitStep EndProbe(LimitState state, in LimitWindow window, double draw)
    {
        bool isMeasured = window.Samples >= FewProbeSamples;
        bool wasFarOff = isMeasured && window.MedianMs < 0.8 * state.BaselineMs;
        return new(
            state with
            {
                IsProbing = false,
                Limit = state.SavedLimit,
                SavedLimit = 0,
                BaselineMs = isMeasured ? window.MedianMs : state.BaselineMs,
                WindowsBelow = isMeasured ? 0 : state.WindowsBelow,
                LastProbeMs = window.NowMs,
                ProbeAfterMs = wasFarOff ? UrgentProbeMs : NextProbe(draw),
                Epoch = state.Epoch + 1,
            },
            LimitDecision.ProbeEnded);
    }

    /// <summary>With jitter: replicas of a server that probe in step would all reject at once.</summary>
    private double NextProbe(double draw) => Terms.ProbeIntervalMs * (1 - (ProbeJitter / 2) + (ProbeJitter * draw));

    private static double Towards(double baseline, double latency) => baseline + (BaselineWeight * (latency - baseline));
}
