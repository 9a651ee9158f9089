namespace Resilience.Overload;

/// <summary>A moving average of latencies that takes a peak at once and forgets it slowly, in one word. Pure.</summary>
/// <remarks>
/// <code>
///  63 ─────────────── 32 31 ────────────── 0
///  │ cost, ms (float)   │ stamp, ms         │     0: nothing is known
///
///  w = e^(−Δt / decay)        a latency: cost = latency &gt; cost ? latency : cost·w + latency·(1 − w)
///                             a reading: cost·w
/// </code>
/// The stamp wraps after 49 days; a difference is that of two 32-bit numbers. (The idea is Finagle's PeakEwma.)
/// </remarks>
internal static class PeakEwma
{
    private const float Least = 1e-6f; // so that a known cost is never the word 0

    /// <summary>The cost at a moment, in ms. Null: nothing is known.</summary>
    internal static double? Read(long word, long nowMs, double decayMs) => word == 0 ? null : CostOf(word) * Weight(word, nowMs, decayMs);

    /// <summary>After a latency.</summary>
    internal static long Observe(long word, double ms, long nowMs, double decayMs)
    {
        if (word == 0) return Make(ms, nowMs);
        double weight = Weight(word, nowMs, decayMs), cost = CostOf(word) * weight;
        return Make(ms > CostOf(word) ? ms : cost + (ms * (1 - weight)), nowMs);
    }

    /// <summary>After a call that would have taken longer than this: only a peak is learnt.</summary>
    internal static long ObserveAtLeast(long word, double ms, long nowMs, double decayMs) =>
        word != 0 && ms <= Read(word, nowMs, decayMs) ? word : Make(ms, nowMs);

    private static double CostOf(long word) => BitConverter.Int32BitsToSingle((int)(word >>> 32));

    private static double Weight(long word, long nowMs, double decayMs) => Math.Exp(-unchecked((uint)nowMs - (uint)word) / decayMs);

    private static long Make(double ms, long nowMs) =>
        ((long)BitConverter.SingleToInt32Bits(Math.Max((float)ms, Least)) << 32) | unchecked((uint)nowMs);
}
