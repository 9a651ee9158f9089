using Resilience.Overload;

namespace Resilience;

/// <summary>The arithmetic of a limit: pure functions of what it has learnt and of a window.</summary>
internal abstract class LimitRules(LimitTerms terms)
{
    internal LimitTerms Terms => terms;

    internal static LimitRules Of(LimitAlgorithm algorithm, LimitTerms terms) =>
        algorithm == LimitAlgorithm.Gradient ? new GradientRules(terms) : new SignalRules(terms);

    /// <summary>What is known before the first window.</summary>
    /// <param name="nowMs">The moment.</param>
    /// <param name="epoch">The number of the epoch.</param>
    /// <param name="draw">Chance, from 0 to 1.</param>
    internal abstract LimitState Begin(double nowMs, int epoch, double draw);

    /// <summary>How long a window lasts at least.</summary>
    internal virtual double LeastMs(LimitState state) => terms.WindowMs;

    /// <summary>Whether a window has enough in it to be judged.</summary>
    internal virtual bool IsOver(LimitState state, double elapsedMs, long samples, long overloads) =>
        elapsedMs >= terms.WindowMs && samples + overloads >= terms.MinSamples;

    /// <summary>What follows from a window that is over.</summary>
    /// <param name="state">What was known.</param>
    /// <param name="window">What happened.</param>
    /// <param name="draw">Chance, from 0 to 1.</param>
    internal abstract LimitStep Judge(LimitState state, in LimitWindow window, double draw);

    /// <summary>The same knowledge under other terms.</summary>
    internal LimitState Adopt(LimitState state) => state with { Limit = Clamp(state.Limit), SavedLimit = state.IsProbing ? Clamp(state.SavedLimit) : 0 };

    private protected double Clamp(double limit) => Math.Clamp(limit, terms.MinLimit, terms.MaxLimit);

    private protected bool IsOverload(in LimitWindow window) => window.OverloadShare > terms.OverloadShare || window.SlowShare > terms.SlowShare;

    /// <summary>The limit goes where a decision sends it, as far as it may.</summary>
    private protected LimitStep Move(LimitState state, double limit, LimitDecision decision)
    {
        double clamped = Clamp(limit);
        LimitDecision said = clamped < limit ? LimitDecision.Ceiling : clamped > limit ? LimitDecision.Floor : decision;
        return new(state with { Limit = clamped }, said);
    }

    private protected LimitStep BackOff(LimitState state) =>
        Move(state with { IsSlowStart = false }, terms.BackoffFactor * state.Limit, LimitDecision.Signal);
}
