using System.Numerics;

namespace Resilience.Experiments;

/// <summary>Latencies of an experiment, in buckets of 1/64 octave: quantiles are right to 1 %.</summary>
internal sealed class Latencies
{
    private const int SubBits = 6;
    private readonly int[] _counts = new int[64 << SubBits];

    internal long Count { get; private set; }

    internal void Add(long ticks)
    {
        _counts[BucketOf(ticks)]++;
        Count++;
    }

    /// <summary>In milliseconds; 0 when there is none.</summary>
    internal double Quantile(double share)
    {
        double rank = share * Count, seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            if (_counts[i] == 0) continue;
            if (seen + _counts[i] >= rank) return (LowerOf(i) + ((LowerOf(i + 1) - LowerOf(i)) * (rank - seen) / _counts[i])) / TimeSpan.TicksPerMillisecond;
            seen += _counts[i];
        }

        return 0;
    }

    private static int BucketOf(long ticks)
    {
        if (ticks < 1 << SubBits) return (int)Math.Max(0, ticks);
        int octave = BitOperations.Log2((ulong)ticks);
        return ((octave - SubBits + 1) << SubBits) + (int)((ticks >> (octave - SubBits)) & ((1 << SubBits) - 1));
    }

    private static double LowerOf(int bucket) =>
        bucket < 1 << SubBits ? bucket : (double)((1L << SubBits) + (bucket & ((1 << SubBits) - 1))) * (1L << ((bucket >> SubBits) - 1));
}
