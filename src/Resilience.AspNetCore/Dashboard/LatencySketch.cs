namespace Resilience;

/// <summary>Times counted in buckets that grow by a fixed factor: quantiles in a few hundred bytes, recorded without a lock.</summary>
/// <remarks>A bucket is a quarter of an octave, so a quantile is off by at most 10 %. From 50 µs to a quarter of an hour; what is shorter or
/// longer counts as that.</remarks>
internal sealed class LatencySketch
{
    private const double Min = 50e-6;
    private const int PerOctave = 4, Buckets = 24 * PerOctave;

    private readonly int[] _counts = new int[Buckets];

    /// <summary>Safe to call at the same time as everything else.</summary>
    internal void Record(double seconds) => Interlocked.Increment(ref _counts[BucketOf(seconds)]);

    /// <summary>Moves what was recorded to a new sketch; null when nothing was.</summary>
    internal LatencySketch? Take()
    {
        LatencySketch? taken = null;
        for (int i = 0; i < Buckets; i++)
        {
            if (Volatile.Read(ref _counts[i]) == 0) continue; // a record that comes now is taken the next time
            taken ??= new();
            taken._counts[i] = Interlocked.Exchange(ref _counts[i], 0);
        }

        return taken;
    }

    /// <summary>Adds what another has. By the one owner of both.</summary>
    internal void Add(LatencySketch? other)
    {
        if (other is null) return;
        for (int i = 0; i < Buckets; i++) _counts[i] += other._counts[i];
    }

    /// <summary>Forgets everything. By the one owner.</summary>
    internal void Clear() => Array.Clear(_counts);

    /// <summary>The median, the 95th and the 99th percentile in milliseconds; null when nothing was recorded. By the one owner.</summary>
    internal LatencyQuantiles? Quantiles()
    {
        long all = 0;
        foreach (int count in _counts) all += count;
        return all == 0 ? null : new(Quantile(all, 0.50), Quantile(all, 0.95), Quantile(all, 0.99));
    }

    private float Quantile(long all, double share)
    {
        long rank = Math.Max(1, (long)Math.Ceiling(all * share)), seen = 0;
        int bucket = 0;
        while (bucket < Buckets - 1 && (seen += _counts[bucket]) < rank) bucket++;
        double ms = Min * Math.Pow(2, (bucket + 0.5) / PerOctave) * 1000; // the middle of the bucket, on the scale that the buckets are on
        return (float)Math.Round(ms, ms < 10 ? 2 : 1);
    }

    private static int BucketOf(double seconds) =>
        seconds > Min ? Math.Min(Buckets - 1, (int)(Math.Log2(seconds / Min) * PerOctave)) : 0;
}
