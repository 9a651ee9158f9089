using System.Numerics;

namespace Resilience;

/// <summary>Counts spans of time by their length, to answer how long a given share of them takes. Lock-free; nothing is allocated after it is made.</summary>
/// <remarks>
/// <code>
/// ticks of 100 ns:   1 … 63 │ 64 … 127 │ 128 … 255 │ …                        │ 2^29 … 2^30 │ more
/// octave:           (first) │     0    │     1     │ …  each in 32 equal parts │     23      │ (last)
///                           6.4 µs     12.8 µs                                             107 s
/// </code>
/// Within a part the counted spans are taken for evenly spread, so an answer is wrong by less than a part: a 32nd of the value, 3.1 %.
/// A count is one atomic addition. A quantile that is read while others count is that of some set of spans of which each was counted before
/// the reading ended.
/// </remarks>
internal sealed class DurationHistogram
{
    internal const int Octaves = 24;
    internal const int PartBits = 5;
    internal const int Parts = 1 << PartBits;
    private const int FirstBit = 6; // the least octave begins at 2^6 ticks
    private const int Buckets = Octaves * Parts;

    private readonly int[] _counts = new int[Buckets];

    /// <summary>Counts a span.</summary>
    /// <param name="ticks">Its length, in units of 100 ns. What is out of range counts as the least or the greatest.</param>
    internal void Record(long ticks) => Interlocked.Increment(ref _counts[BucketOf(ticks)]); // full fence: needed by nothing, but no weaker addition exists

    /// <summary>Forgets all. A span that is being counted meanwhile may stay or be lost.</summary>
    internal void Clear()
    {
        for (int i = 0; i < Buckets; i++) Volatile.Write(ref _counts[i], 0); // release: with the switch that follows, a reader of the new one sees zeros
    }

    /// <summary>How many were counted.</summary>
    internal long Count()
    {
        long count = 0;
        for (int i = 0; i < Buckets; i++) count += Volatile.Read(ref _counts[i]); // acquire: each read is of the memory and not of a register
        return count;
    }

    /// <summary>The span that this share of all counted ones does not exceed, in ticks; 0 where none was counted.</summary>
    /// <param name="quantile">More than 0, less than 1.</param>
    /// <param name="first">Spans.</param>
    /// <param name="second">Further ones; null: there are none.</param>
    internal static double Quantile(double quantile, DurationHistogram first, DurationHistogram? second = null)
    {
        long count = first.Count() + (second?.Count() ?? 0);
        if (count == 0) return 0;
        double rank = quantile * count, before = 0;
        int last = 0;
        for (int i = 0; i < Buckets; i++)
        {
            int here = Volatile.Read(ref first._counts[i]) + (second is null ? 0 : Volatile.Read(ref second._counts[i]));
            if (here == 0) continue;
            last = i;
            if (before + here >= rank) return FloorOf(i) + ((FloorOf(i + 1) - FloorOf(i)) * ((rank - before) / here));
            before += here;
        }

        return FloorOf(last + 1); // some were taken away between the two readings
    }

    /// <summary>The bucket of a span.</summary>
    internal static int BucketOf(long ticks)
    {
        if (ticks < 1L << FirstBit) return 0;
        int log = BitOperations.Log2((ulong)ticks);
        if (log >= FirstBit + Octaves) return Buckets - 1;
        return ((log - FirstBit) * Parts) + (int)((ticks >> (log - PartBits)) & (Parts - 1));
    }

    /// <summary>The least span of a bucket, in ticks.</summary>
    internal static double FloorOf(int bucket)
    {
        (int octave, int part) = Math.DivRem(bucket, Parts);
        return (double)(1L << (octave + FirstBit)) * (Parts + part) / Parts;
    }
}
