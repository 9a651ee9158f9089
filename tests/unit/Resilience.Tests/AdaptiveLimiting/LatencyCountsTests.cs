namespace Resilience.Tests.AdaptiveLimiting;

public sealed class LatencyCountsTests
{
    [Fact]
    public void The_buckets_cover_all_latencies_without_a_gap()
    {
        for (int bucket = 1; bucket < LatencyCounts.Buckets; bucket++)
        {
            long lower = LatencyCounts.LowerOf(bucket);
            lower.Should().Be(LatencyCounts.LowerOf(bucket - 1) + LatencyCounts.WidthOf(bucket - 1));
            (LatencyCounts.BucketOf(lower), LatencyCounts.BucketOf(lower - 1)).Should().Be((bucket, bucket - 1));
            if (bucket >= 16) ((double)LatencyCounts.WidthOf(bucket) / lower).Should().BeLessThanOrEqualTo(1 / 16.0);
        }

        (LatencyCounts.BucketOf(0), LatencyCounts.BucketOf(-5), LatencyCounts.BucketOf(long.MaxValue)).Should().Be((0, 0, LatencyCounts.Buckets - 1));
        TimeSpan.FromTicks(LatencyCounts.LowerOf(LatencyCounts.Buckets - 1)).Should().BeGreaterThan(TimeSpan.FromMinutes(55));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_median_is_right_to_a_thirtieth(int seed)
    {
        Random random = new(seed);
        LatencyCounts counts = new();
        List<long> all = [];
        for (int i = 0; i < 2_001; i++)
        {
            long ticks = (long)(-Math.Log(1 - random.NextDouble()) * 500_000);
            all.Add(ticks);
            counts.CountLatency(ticks, isSlow: i % 10 == 0);
        }

        all.Sort();
        (long samples, long overloads, long slow, long rejected) = counts.Sum();
        (samples, overloads, slow, rejected).Should().Be((2_001, 0, 201, 0));
        counts.Median(samples).Should().BeInRange(all[1_000] * 0.968, all[1_000] * 1.032);
    }

    [Theory]
    [InlineData(500_000)]
    [InlineData(524_288)] // the least of its bucket
    [InlineData(557_055)] // the largest
    public void Equal_latencies_are_measured_to_a_thirtieth(long ticks)
    {
        LatencyCounts counts = new();
        for (int i = 0; i < 100; i++) counts.CountLatency(ticks, false);
        counts.Median(100).Should().BeInRange(ticks * 0.968, ticks * 1.032);
    }

    [Fact]
    public void Nothing_has_no_median() => new LatencyCounts().Median(0).Should().Be(0);
}
