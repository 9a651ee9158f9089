namespace Resilience;

/// <summary>What becomes of a half-open circuit's probes when a call asks to enter.</summary>
internal enum ProbeAdmission
{
    /// <summary>Send this call as a probe.</summary>
    Send,

    /// <summary>All places are taken.</summary>
    Taken,

    /// <summary>The probes have not been heard of for a whole lease: start a new epoch with this call as its first probe.</summary>
    Lost,

    /// <summary>As many as are needed have succeeded: close the circuit.</summary>
    Enough,
}

/// <summary>The rules of the breaker as pure functions: no clock, no field, no listener, no allocation. The class beside it only carries them out.</summary>
internal static class BreakerRules
{
    /// <summary>May a call enter a half-open circuit? At most <c>Probes</c> are out at once, and never more than could still be needed.</summary>
    internal static (ProbeAdmission Result, ProbeWord Next) Enter(ProbeWord word, long nowMs, BreakerSettings settings)
    {
        if (word.IsGivenUp || (word.Out > 0 && nowMs - word.SentMs >= settings.ProbeLeaseMs)) return (ProbeAdmission.Lost, word);
        bool free = word.Out < settings.Probes && word.Good + word.Out < settings.SuccessThreshold;
        return free ? (ProbeAdmission.Send, new(nowMs, word.Out + 1, word.Good)) : (ProbeAdmission.Taken, word);
    }

    /// <summary>The first word of a half-open epoch: the call that began it is its first probe.</summary>
    internal static ProbeWord FirstProbe(long nowMs) => new(nowMs, 1, 0);

    /// <summary>A probe came back well. True when it was the last that was needed.</summary>
    internal static (bool Closes, ProbeWord Next) Succeed(ProbeWord word, BreakerSettings settings)
    {
        int good = Math.Min(word.Good + 1, ProbeWord.Max);
        return (good >= settings.SuccessThreshold, new(word.SentMs, Math.Max(0, word.Out - 1), good));
    }

    /// <summary>A probe came back without news (cancelled, rejected further down): its place is free again.</summary>
    internal static ProbeWord Release(ProbeWord word) => new(word.SentMs, Math.Max(0, word.Out - 1), word.Good);

    /// <summary>The growth level of the next break: one more than the last, less one for each healthy span since; no more than it
    /// takes to reach the cap.</summary>
    internal static int NextLevel(int level, long healthyMs, BreakerSettings settings) =>
        (int)Math.Clamp(level + 1L - (healthyMs / settings.BreakDecayMs), 0, settings.MaxLevel);

    /// <summary>How many breaks have followed each other with this one: as the level, but without a cap.</summary>
    internal static int NextBreaks(int breaks, long healthyMs, BreakerSettings settings) =>
        (int)Math.Clamp(breaks + 1L - (healthyMs / settings.BreakDecayMs), 1, int.MaxValue);

    /// <summary>How long the break lasts. Jitter only shortens, so the cap holds.</summary>
    internal static long BreakMs(int level, BreakerSettings settings, double random)
    {
        double grown = settings.BreakMs * Math.Pow(settings.BreakGrowth, Math.Min(level, 1000));
        double capped = Math.Min(grown, settings.MaxBreakMs); // an overflow to infinity is capped like any other
        return Math.Max(1, (long)Math.Ceiling(capped * (1 - (settings.BreakJitter * random))));
    }

    /// <summary>The break, made longer if the dependency has asked for it, but not beyond the cap.</summary>
    internal static long Followed(long breakMs, long askedMs, BreakerSettings settings) => Math.Max(breakMs, Math.Min(askedMs, settings.MaxBreakMs));

    /// <summary>Is the share of bad calls too large, given enough calls to judge?</summary>
    internal static bool IsTooMany(int calls, int bad, int minimum, double ratio) =>
        calls >= minimum && bad > 0 && bad >= ratio * calls;

    /// <summary>The share of calls that a ramping circuit admits, from <c>RampFrom</c> at its beginning to 1 at its end.</summary>
    internal static double RampShare(long sinceMs, long untilMs, long nowMs, BreakerSettings settings)
    {
        if (nowMs >= untilMs) return 1;
        double progress = (double)Math.Max(0, nowMs - sinceMs) / (untilMs - sinceMs);
        return settings.RampFrom + ((1 - settings.RampFrom) * progress);
    }

    /// <summary>Is the n-th call of the ramp in its share? Multiples of the golden ratio fill the unit interval evenly, so any
    /// stretch of calls is admitted in proportion, without a random number.</summary>
    internal static bool IsInShare(int ordinal, double share) => unchecked((uint)ordinal * 2654435769u) < share * 4294967296.0;

    /// <summary>The fewest calls that the ratio rules judge by: while ramping in proportion to the share admitted, so that a relapse shows.</summary>
    internal static int Minimum(int minimum, double share) => Math.Max(1, (int)Math.Ceiling(minimum * share));

    /// <summary>What the outside sees: an open circuit whose break is over counts as half open, though no call has come yet.</summary>
    internal static CircuitState Seen(CircuitState state, long untilMs, long nowMs) =>
        state == CircuitState.Open && nowMs >= untilMs ? CircuitState.HalfOpen : state;
}
