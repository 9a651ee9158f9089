using System.Numerics;
using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>What calls tell in one window: their latencies, and how many were slow, overloaded or rejected. Counting is one addition on a stripe of the
/// processor; nothing is allocated.</summary>
/// <remarks>
/// Latencies are in ticks of 100 ns, in buckets of sixteen to an octave: a bucket is at most a sixteenth wide, so a median is right to 3.2 %. The last bucket
/// has what is longer than 57 minutes. It is never emptied: a new window has new counts, so a call that counts late counts in a window that is over.
/// <code>
/// stripe:  | 512 buckets | overloads | slow | rejected | unused, to whole cache lines |
/// </code>
/// </remarks>
internal sealed class LatencyCounts
{
    private const int SubBits = 4;
    private const int SubBuckets = 1 << SubBits;
    internal const int Buckets = 512;
    private const int Overloads = Buckets;
    private const int Slow = Buckets + 1;
    private const int Rejected = Buckets + 2;
    private const int Stride = Buckets + 16;
    private const int MaxStripes = 16;

    private static readonly int Stripes = Math.Min(Environment.ProcessorCount, MaxStripes);

    private readonly int[] _counts = new int[Stripes * Stride];

    /// <summary>A call that succeeded.</summary>
    internal void CountLatency(long ticks, bool isSlow)
    {
        int stripe = Stripe();
        Interlocked.Increment(ref _counts[stripe + BucketOf(ticks)]);
        if (isSlow) Interlocked.Increment(ref _counts[stripe + Slow]);
    }

    internal void CountOverload() => Interlocked.Increment(ref _counts[Stripe() + Overloads]);

    internal void CountRejected() => Interlocked.Increment(ref _counts[Stripe() + Rejected]);

    /// <summary>How many there are, of all but latencies.</summary>
    internal (long Samples, long Overloads, long Slow, long Rejected) Sum()
    {
        long samples = 0, overloads = 0, slow = 0, rejected = 0;
        for (int stripe = 0; stripe < _counts.Length; stripe += Stride)
        {
            for (int i = stripe; i < stripe + Buckets; i++) samples += _counts[i];
            overloads += _counts[stripe + Overloads];
            slow += _counts[stripe + Slow];
            rejected += _counts[stripe + Rejected];
        }

        return (samples, overloads, slow, rejected);
    }

    /// <summary>Whether any call was rejected.</summary>
    internal bool HasRejected
    {
        get
        {
            for (int stripe = 0; stripe < _counts.Length; stripe += Stride)
            {
                if (_counts[stripe + Rejected] > 0) return true;
            }

            return false;
        }
    }

    /// <summary>The median, in ticks, interpolated within its bucket; 0 without samples.</summary>
    /// <param name="samples">How many there are.</param>
    internal double Median(long samples)
    {
        double rank = samples * 0.5, seen = 0;
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            long count = 0;
            for (int stripe = 0; stripe < _counts.Length; stripe += Stride) count += _counts[stripe + bucket];
            if (count == 0) continue;
            if (seen + count >= rank) return LowerOf(bucket) + (WidthOf(bucket) * (rank - seen) / count);
            seen += count;
        }

        return 0;
    }

    /// <summary>The bucket of a latency: the first sixteen hold one tick each, from there on sixteen share an octave.</summary>
    internal static int BucketOf(long ticks)
    {
        if (ticks < SubBuckets) return (int)Math.Max(ticks, 0);
        int octave = BitOperations.Log2((ulong)ticks);
        int sub = (int)(ticks >> (octave - SubBits)) & (SubBuckets - 1);
        return Math.Min(((octave - SubBits + 1) << SubBits) + sub, Buckets - 1);
    }

    internal static long LowerOf(int bucket) =>
        bucket < SubBuckets ? bucket : (SubBuckets + (bucket & (SubBuckets - 1)) + 0L) << ((bucket >> SubBits) - 1);

    internal static long WidthOf(int bucket) => bucket < SubBuckets ? 1 : 1L << ((bucket >> SubBits) - 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Stripe() => Stripes == 1 ? 0 : (int)((uint)Thread.GetCurrentProcessorId() % (uint)Stripes) * Stride;
}
