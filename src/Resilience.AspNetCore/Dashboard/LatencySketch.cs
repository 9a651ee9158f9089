namespace Resilience;

/// <summary>Times counted in buckets that grow by a fixed factor: quantiles in a few hundred bytes, recorded without a lock.</summary>
/// <remarks>A bucket is a quarter of an octave, so a quantile is off by at most 10 %. From 50 µs to a quarter of an hour; what is shorter or
/// longer counts as that.</remarks>
internal sealed class LatencySketch
{
    private const double Least = 50e-6;
    private const int PerOctave = 4, Buckets = 24 * PerOctave;

    private readonly int[] _counts = new int[Buckets];

    internal void Record(double seconds) => Interlocked.Increment(ref _counts[BucketOf(seconds)]);

    /// <summary>The two quantiles of what was recorded since the last time, in milliseconds, and forgets it.</summary>
    internal (double? P50, double? P95) Take()
    {
        int[] taken = new int[Buckets];
        long all = 0;
        for (int i = 0; i < Buckets; i++) all += taken[i] = Interlocked.Exchange(ref _counts[i], 0);
        return all == 0 ? (null, null) : (Quantile(taken, all, 0.50), Quantile(taken, all, 0.95));
    }

    private static double Quantile(int[] counts, long all, double share)
    {
        long rank = Math.Max(1, (long)Math.Ceiling(all * share)), seen = 0;
        int bucket = 0;
        while (bucket < Buckets - 1 && (seen += counts[bucket]) < rank) bucket++;
        return Least * Math.Pow(2, (bucket + 0.5) / PerOctave) * 1000; // the middle of the bucket, on the scale that the buckets are on
    }

    private static int BucketOf(double seconds) =>
        seconds > Least ? Math.Min(Buckets - 1, (int)(Math.Log2(seconds / Least) * PerOctave)) : 0;
}
