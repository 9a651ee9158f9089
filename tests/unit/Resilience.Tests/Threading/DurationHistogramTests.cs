using HdrHistogram;
using Resilience.Tests.Allocation;

namespace Resilience.Tests.Threading;

/// <summary>Quantiles of durations: against HdrHistogram and the exact answer, and what rotates away.</summary>
public sealed class DurationHistogramTests
{
    private const int Samples = 100_000;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(30);

    /// <summary>Draws a duration in ticks of 100 ns.</summary>
    private static long Draw(string distribution, Randomness randomness)
    {
        double u = randomness.NextDouble();
        double ms = distribution switch
        {
            "fixed" => 50,
            "fixed at the floor of a part" => 6.5536, // 2^16 ticks: where an even spread within the part is most wrong
            "uniform" => 1 + (99 * u),
            "exponential" => -Math.Log(1 - u) * 20,
            "two kinds" => u < 0.96 ? 10 + randomness.NextDouble() : 500 + (10 * randomness.NextDouble()),
            "long tail" => Math.Min(60_000, Math.Pow(1 - u, -1 / 1.5)), // Pareto
            _ => 0.01 + (0.09 * u), // microseconds
        };
        return (long)(ms * TimeSpan.TicksPerMillisecond);
    }

    private static readonly double[] Quantiles = [0.5, 0.9, 0.95, 0.99, 0.999];

    /// <summary>The largest relative difference to HdrHistogram over the quantiles.</summary>
    private static double WorstError(string distribution, long seed, Func<DurationHistogram, double, double> quantile)
    {
        DurationHistogram ours = new();
        LongHistogram theirs = new(TimeSpan.TicksPerHour, 4);
        Randomness randomness = Randomness.Seeded(seed);
        for (int i = 0; i < Samples; i++)
        {
            long ticks = Draw(distribution, randomness);
            ours.Record(ticks);
            theirs.RecordValue(ticks);
        }

        ours.Count().Should().Be(Samples);
        return Quantiles.Max(q => Math.Abs(1 - (quantile(ours, q) / theirs.GetValueAtPercentile(q * 100))));
    }

    [Theory]
    [InlineData("fixed")]
    [InlineData("fixed at the floor of a part")]
    [InlineData("uniform")]
    [InlineData("exponential")]
    [InlineData("two kinds")]
    [InlineData("long tail")]
    [InlineData("microseconds")]
    public void A_quantile_is_within_5_percent_of_HdrHistogram(string distribution)
    {
        for (long seed = 1; seed <= 3; seed++)
            WorstError(distribution, seed, static (ours, q) => DurationHistogram.Quantile(q, ours)).Should().BeLessThan(0.05);
    }

    /// <summary>That the comparison sees an error: a share that is off by a hundredth, and an answer some parts too high.</summary>
    [Fact]
    public void The_comparison_finds_planted_errors()
    {
        WorstError("exponential", 1, static (ours, q) => DurationHistogram.Quantile(Math.Min(q + 0.01, 0.9999), ours)).Should().BeGreaterThan(0.05);
        WorstError("fixed", 1, static (ours, q) => DurationHistogram.FloorOf(DurationHistogram.BucketOf((long)DurationHistogram.Quantile(q, ours)) + 4))
            .Should().BeGreaterThan(0.05);
    }

    [Fact]
    public void Buckets_are_in_order_without_gaps_and_hold_what_they_say()
    {
        for (int bucket = 0; bucket < DurationHistogram.Octaves * DurationHistogram.Parts; bucket++)
        {
            (long floor, long next) = ((long)DurationHistogram.FloorOf(bucket), (long)DurationHistogram.FloorOf(bucket + 1));
            (DurationHistogram.BucketOf(floor), DurationHistogram.BucketOf(next - 1)).Should().Be((bucket, bucket));
            (next - floor).Should().BeLessThanOrEqualTo(Math.Max(1, (floor / DurationHistogram.Parts) + 1));
        }

        (DurationHistogram.BucketOf(-1), DurationHistogram.BucketOf(0), DurationHistogram.BucketOf(63)).Should().Be((0, 0, 0));
        DurationHistogram.BucketOf(long.MaxValue).Should().Be((DurationHistogram.Octaves * DurationHistogram.Parts) - 1);
        DurationHistogram.Quantile(0.5, new()).Should().Be(0);
    }

    [Fact]
    public void What_was_counted_is_forgotten_after_one_to_two_windows()
    {
        RotatingHistogram rotating = new(Window, nowMs: 1_000);
        rotating.Record(10_000, 30_999);
        rotating.Count(31_000).Should().Be(1, "it is of the window before");
        rotating.Record(20_000, 60_999);
        rotating.Count(60_999).Should().Be(2);
        rotating.Count(61_000).Should().Be(1, "the first is forgotten");
        rotating.Quantile(0.5, 61_000).Should().BeApproximately(20_000, 1_000);
        rotating.Count(200_000).Should().Be(0, "nothing was asked for two windows");
    }

    /// <summary>Threads that count while it turns: nothing is counted twice, and little is lost.</summary>
    [Fact]
    public async Task Threads_count_together_while_windows_turn()
    {
        RotatingHistogram rotating = new(Window, nowMs: 0);
        const int each = 50_000;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (int i = 0; i < each; i++) rotating.Record(1_000 + thread, i / 1_000); // one window
        })));
        rotating.Count(each / 1_000).Should().Be(4 * each);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (int i = 0; i < each; i++) rotating.Record(1_000 + thread, 30_000L * (1 + (i / 5_000))); // ten windows
        })));
        rotating.Count(30_000L * (each / 5_000)).Should().BeInRange(1, 4 * each);
    }

    [Fact]
    public void Counting_and_asking_allocate_nothing()
    {
        RotatingHistogram rotating = new(Window, nowMs: 0);
        long now = 0;
        Allocated.BytesPerRun(() =>
        {
            rotating.Record(12_345, now += 100);
            rotating.Quantile(0.95, now);
        }).Should().Be(0);
    }
}
