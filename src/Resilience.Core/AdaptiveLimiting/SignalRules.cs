namespace Resilience;

/// <summary>A limit that learns from signs of overload: one more for each window in which it was reached without any, a tenth less for each with too
/// many.</summary>
/// <remarks>Chiu and Jain 1989: additive growth and multiplicative decrease lead clients that share a server to equal shares, and nothing else that is as
/// simple does. The target of latency is absolute, so it cannot drift.</remarks>
internal sealed class SignalRules(LimitTerms terms) : LimitRules(terms)
{
    internal override LimitState Begin(double nowMs, int epoch, double draw) =>
        new() { Limit = Terms.InitialLimit, IsSlowStart = true, IsFresh = true, LastProbeMs = nowMs, Epoch = epoch };

    internal override LimitStep Judge(LimitState state, in LimitWindow window, double draw)
    {
        state = state with { LatencyMs = window.MedianMs };
        if (IsOverload(window)) return BackOff(state);
        if (!window.IsBound(state.Limit)) return new(state, LimitDecision.Hold);
        return state.IsSlowStart
            ? Move(state, 2 * state.Limit, LimitDecision.SlowStart)
            : Move(state, state.Limit + 1, LimitDecision.Grow);
    }
}
