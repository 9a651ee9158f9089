namespace Resilience.Chaos;

/// <summary>How a call shall end, if chaos has a say in it.</summary>
internal enum ChaosOutcome
{
    Own = 0,
    Fault,
    Result,
    LostReply,
}

/// <summary>What is to be done to one call.</summary>
/// <param name="Behaviour">Run the user's code before it.</param>
/// <param name="Latency">Begin it late.</param>
/// <param name="LatencyShare">How late, as a share of the range: 0 up to 1.</param>
/// <param name="Outcome">How it ends.</param>
internal readonly record struct ChaosDecision(bool Behaviour, bool Latency, double LatencyShare, ChaosOutcome Outcome)
{
    internal bool IsNothing => !Behaviour && !Latency && Outcome == ChaosOutcome.Own;
}

/// <summary>The pure rules: what happens to call number n is a function of seed, n and rates alone, so neither the order in which calls
/// arrive nor how many threads make them changes the set of decisions.</summary>
internal static class ChaosRules
{
    private const ulong Golden = 0x9E3779B97F4A7C15UL;

    // Draws of one call. They must not be one and the same: kinds would always come together.
    private const ulong BehaviourDraw = 0, LatencyDraw = 1, LatencyShareDraw = 2, OutcomeDraw = 3, DrawsOfCall = 4;

    internal static ChaosDecision Decide(long seed, long number, in ChaosRates rates)
    {
        bool behaviour = rates.Behaviour > 0 && Draw(seed, number, BehaviourDraw) < rates.Behaviour;
        bool latency = rates.Latency > 0 && Draw(seed, number, LatencyDraw) < rates.Latency;
        double share = latency ? Draw(seed, number, LatencyShareDraw) : 0;
        return new(behaviour, latency, share, CompletionOf(Draw(seed, number, OutcomeDraw), rates));
    }

    /// <summary>One draw over the three, each with a stretch of its own as long as its rate, so that none takes from another.</summary>
    private static ChaosOutcome CompletionOf(double draw, in ChaosRates rates)
    {
        if (draw < rates.Fault) return ChaosOutcome.Fault;
        if (draw < rates.Fault + rates.Result) return ChaosOutcome.Result;

        // From the far end, so that a rate of 1 is always although sums are not exact.
        return draw >= 1 - rates.LostReply ? ChaosOutcome.LostReply : ChaosOutcome.Own;
    }

    /// <summary>Evenly spread over [0, 1). SplitMix64 at a position instead of in sequence (Steele, Lea, Flood, OOPSLA 2014); the seed is
    /// mixed first, so that neighbouring seeds have nothing in common.</summary>
    private static double Draw(long seed, long number, ulong draw)
    {
        ulong position = ((ulong)number * DrawsOfCall) + draw + 1;
        return (Mix(Mix((ulong)seed) + (position * Golden)) >> 11) * (1.0 / (1UL << 53));
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    /// <summary>A latency from the range, to the tick.</summary>
    internal static TimeSpan LatencyOf(TimeSpan min, TimeSpan max, double share) =>
        max <= min ? min : min + TimeSpan.FromTicks((long)((max - min).Ticks * share));

    /// <summary>The rates that hold so many milliseconds after the start of the plan: <paramref name="own"/> where a window has none of its
    /// own, and none at all outside the windows.</summary>
    internal static ChaosRates RatesAt(ChaosPlan plan, long sinceStartMs, in ChaosRates own)
    {
        if (sinceStartMs < 0) return default;
        long at = plan.EveryMs is { } every ? sinceStartMs % every : sinceStartMs;
        foreach (ChaosPlan.Span window in plan.Windows)
        {
            if (at >= window.FromMs && at < window.UntilMs) return window.Rates ?? own;
        }

        return default;
    }
}
