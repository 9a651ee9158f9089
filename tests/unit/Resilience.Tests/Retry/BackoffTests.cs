using System.Numerics;
using CsCheck;

namespace Resilience.Tests.Retry;

/// <summary>The laws of waits, over the whole range of attempts and options.</summary>
public class BackoffTests
{
    private static readonly long Day = TimeSpan.FromDays(1).Ticks;

    private static readonly Gen<int> Attempts = Gen.OneOf(Gen.Int[0, 100], Gen.Int[0, int.MaxValue], Gen.Const(int.MaxValue), Gen.Const(0));
    private static readonly Gen<double> Factors = Gen.OneOf(Gen.Double[1.01, 1000], Gen.Const(2.0), Gen.Const(1.01), Gen.Const(1000.0));
    private static readonly Gen<BackoffJitter> Jitters = Gen.Enum<BackoffJitter>();

    /// <summary>Spans of every size, from a tick to a day, base and cap in order.</summary>
    private static readonly Gen<(TimeSpan Base, TimeSpan Max)> Spans =
        Gen.Select(Gen.Double[0, 1], Gen.Double[0, 1], Gen.Int[0, 9], (a, b, edge) =>
        {
            long x = edge == 0 ? 0 : (long)Math.Pow(Day, a), y = edge == 1 ? Day : (long)Math.Pow(Day, b);
            return (TimeSpan.FromTicks(Math.Min(x, y)), TimeSpan.FromTicks(Math.Max(x, y)));
        });

    private static readonly Gen<Backoff> Backoffs = Gen.Select(Gen.Enum<BackoffKind>(), Spans, Factors, Jitters, Make);

    private static Backoff Make(BackoffKind kind, (TimeSpan Base, TimeSpan Max) spans, double factor, BackoffJitter jitter) => kind switch
    {
        BackoffKind.Constant => Backoff.Constant(spans.Base, jitter),
        BackoffKind.Linear => Backoff.Linear(spans.Base, spans.Max, jitter),
        BackoffKind.Decorrelated => Backoff.Decorrelated(spans.Base, spans.Max),
        _ => Backoff.Exponential(spans.Base, spans.Max, factor, jitter),
    };

    [Fact]
    public void Delay_is_never_negative_and_never_above_ceiling_or_cap() =>
        Gen.Select(Backoffs, Attempts, Gen.Long, Gen.Long).Sample((backoff, attempt, seed, previous) =>
        {
            Randomness random = Randomness.Seeded(seed);
            TimeSpan ceiling = backoff.Ceiling(attempt);
            TimeSpan delay = backoff.Delay(attempt, random);
            TimeSpan following = backoff.Delay(attempt, TimeSpan.FromTicks(previous), random);
            return ceiling >= TimeSpan.Zero && ceiling <= backoff.MaxDelay
                && delay >= TimeSpan.Zero && delay <= ceiling
                && following >= TimeSpan.Zero && following <= backoff.MaxDelay;
        }, iter: 20_000);

    [Fact]
    public void Waits_of_an_own_loop_are_drawn_each_from_the_one_before() =>
        Gen.Select(Backoffs, Gen.Int[0, 20], Gen.Long, Gen.Bool).Sample((backoff, retries, seed, isFirstAtOnce) =>
        {
            TimeSpan[] drawn = [.. backoff.Delays(retries, isFirstAtOnce, Randomness.Seeded(seed))];
            Randomness random = Randomness.Seeded(seed);
            List<TimeSpan> expected = isFirstAtOnce && retries > 0 ? [TimeSpan.Zero] : [];
            int first = expected.Count;
            while (expected.Count < retries) expected.Add(backoff.Delay(expected.Count - first, expected.LastOrDefault(), random));
            return drawn.SequenceEqual(expected);
        }, iter: 2_000);

    [Fact]
    public void Waits_of_an_own_loop_have_a_number()
    {
        Backoff backoff = Backoff.Constant(TimeSpan.FromSeconds(1), BackoffJitter.None);
        backoff.Delays(3).Should().Equal(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        backoff.Delays(2, isFirstAtOnce: true).Should().Equal(TimeSpan.Zero, TimeSpan.FromSeconds(1));
        ((Action)(() => backoff.Delays(-1))).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Ceilings_never_shrink() =>
        Gen.Select(Backoffs, Attempts).Sample((backoff, attempt) =>
            attempt == int.MaxValue || backoff.Ceiling(attempt) <= backoff.Ceiling(attempt + 1), iter: 20_000);

    [Fact]
    public void Exponential_ceiling_is_the_exact_product_rounded_down() =>
        Gen.Select(Spans, Gen.Int[101, 100_000], Gen.Int[0, 4_000]).Sample((spans, hundredths, attempt) =>
        {
            Backoff backoff = Backoff.Exponential(spans.Base, spans.Max, hundredths / 100.0);
            BigInteger exact = spans.Base.Ticks * BigInteger.Pow(hundredths, attempt) / BigInteger.Pow(100, attempt);
            return backoff.Ceiling(attempt).Ticks == (long)BigInteger.Min(exact, spans.Max.Ticks);
        }, iter: 2_000);

    [Fact]
    public void Linear_and_decorrelated_ceilings_are_the_exact_products() =>
        Gen.Select(Spans, Attempts).Sample((spans, attempt) =>
        {
            BigInteger linear = spans.Base.Ticks * ((BigInteger)attempt + 1);
            BigInteger tripled = spans.Base.Ticks * BigInteger.Pow(3, Math.Min(attempt, 100) + 1);
            return Backoff.Linear(spans.Base, spans.Max).Ceiling(attempt).Ticks == (long)BigInteger.Min(linear, spans.Max.Ticks)
                && Backoff.Decorrelated(spans.Base, spans.Max).Ceiling(attempt).Ticks == (long)BigInteger.Min(tripled, spans.Max.Ticks);
        }, iter: 5_000);

    [Fact]
    public void Ceilings_scale_when_base_and_cap_are_scaled() =>
        Gen.Select(Gen.Enum<BackoffKind>(), Gen.Long[1, 1_000_000], Gen.Long[1, 1000], Gen.Int[2, 800], Attempts)
            .Sample((kind, ticks, ratio, scale, attempt) =>
            {
                TimeSpan min = TimeSpan.FromTicks(ticks), max = TimeSpan.FromTicks(ticks * ratio);
                Backoff small = Make(kind, (min, max), 1.7, BackoffJitter.None);
                Backoff large = Make(kind, (min * scale, max * scale), 1.7, BackoffJitter.None);

                // Each is rounded down to a tick, so scaling the rounded one falls short by less than the scale.
                long gap = large.Ceiling(attempt).Ticks - (small.Ceiling(attempt).Ticks * scale);
                return gap >= 0 && gap < scale;
            }, iter: 5_000);

    [Fact]
    public void Total_is_the_sum_of_the_schedule() =>
        Gen.Select(Backoffs, Gen.Int[0, 300]).Sample((backoff, retries) =>
            backoff.Total(retries).Ticks == backoff.Schedule(retries).Sum(d => d.Ticks), iter: 2_000);

    [Fact]
    public void Total_is_bounded_and_fast_when_retries_are_two_billion()
    {
        Backoff.Constant(TimeSpan.FromDays(1)).Total(int.MaxValue).Should().Be(TimeSpan.MaxValue);
        Backoff.Linear(TimeSpan.FromTicks(1), TimeSpan.FromDays(1)).Total(int.MaxValue).Ticks
            .Should().Be((long)((BigInteger)int.MaxValue * ((BigInteger)int.MaxValue + 1) / 2));
        Backoff.Exponential(TimeSpan.FromTicks(1), TimeSpan.FromTicks(4)).Total(int.MaxValue).Ticks.Should().Be(1 + 2 + (4L * (int.MaxValue - 2)));
    }

    [Theory]
    [InlineData(BackoffJitter.None, 1.0, 0.0)]
    [InlineData(BackoffJitter.Full, 0.5, 1.0)]
    [InlineData(BackoffJitter.Equal, 0.75, 0.5)]
    public void Mean_is_what_the_jitter_promises(BackoffJitter jitter, double share, double width)
    {
        const int Draws = 100_000;
        Backoff backoff = Backoff.Exponential(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), 2, jitter);
        Randomness random = Randomness.Seeded(20);
        double ceiling = backoff.Ceiling(3).Ticks;
        double mean = Enumerable.Range(0, Draws).Average(_ => (double)backoff.Delay(3, random).Ticks);

        // The mean of n uniform draws has the standard deviation width / sqrt(12 n); five of them, and the seed is fixed.
        double tolerance = 1 + (5 * width * ceiling / Math.Sqrt(12.0 * Draws));
        mean.Should().BeApproximately(share * ceiling, tolerance);
    }

    [Fact]
    public void Both_ends_are_drawn_when_the_ceiling_is_a_few_ticks()
    {
        Randomness random = Randomness.Seeded(1);
        HashSet<long> Drawn(Backoff backoff) => [.. Enumerable.Range(0, 1000).Select(_ => backoff.Delay(0, random).Ticks)];
        Drawn(Backoff.Constant(TimeSpan.FromTicks(3))).Should().BeEquivalentTo([0L, 1, 2, 3]);
        Drawn(Backoff.Constant(TimeSpan.FromTicks(3), BackoffJitter.Equal)).Should().BeEquivalentTo([1L, 2, 3]);
        Drawn(Backoff.Decorrelated(TimeSpan.FromTicks(2), TimeSpan.FromTicks(4))).Should().BeEquivalentTo([2L, 3, 4]);
    }

    [Theory]
    [InlineData(BackoffJitter.Full)]
    [InlineData(BackoffJitter.Equal)]
    public void D13_delays_stay_spread_when_the_ceiling_is_the_cap(BackoffJitter jitter)
    {
        Backoff backoff = Backoff.Exponential(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), 2, jitter);
        Randomness random = Randomness.Seeded(13);
        TimeSpan[] delays = [.. Enumerable.Range(0, 20_000).Select(_ => backoff.Delay(10, random))];
        AssertSpread(delays, jitter == BackoffJitter.Full ? 500 : 250);
    }

    [Fact]
    public void D13_delays_stay_spread_when_decorrelated_clients_reach_the_cap()
    {
        Backoff backoff = Backoff.Decorrelated(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));
        Randomness random = Randomness.Seeded(13);
        TimeSpan[] delays = [.. Enumerable.Range(0, 20_000).Select(_ =>
        {
            TimeSpan delay = TimeSpan.Zero;
            for (int attempt = 0; attempt <= 10; attempt++) delay = backoff.Delay(attempt, delay, random);
            return delay;
        })];
        AssertSpread(delays, 480);
    }

    private static void AssertSpread(TimeSpan[] delays, int bins)
    {
        int fullest = delays.GroupBy(d => (int)(d.TotalMilliseconds / 10)).Max(bin => bin.Count());
        fullest.Should().BeLessThanOrEqualTo(3 * delays.Length / bins);
        delays.Max().Should().BeLessThanOrEqualTo(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void Decorrelated_delay_lies_between_base_and_three_times_the_one_before() =>
        Gen.Select(Spans, Gen.Long[0, Day], Gen.Long).Sample((spans, before, seed) =>
        {
            Backoff backoff = Backoff.Decorrelated(spans.Base, spans.Max);
            TimeSpan delay = backoff.Delay(5, TimeSpan.FromTicks(before), Randomness.Seeded(seed));
            long max = Math.Min(backoff.MaxDelay.Ticks, 3 * Math.Max(before, spans.Base.Ticks));
            return delay >= backoff.BaseDelay && delay.Ticks <= max;
        }, iter: 5_000);

    [Fact]
    public void Polly_1866_overflow_does_not_ignore_the_maximum()
    {
        // There, an exponential delay that overflowed TimeSpan skipped the comparison with MaxDelay.
        Backoff backoff = Backoff.Exponential(TimeSpan.FromDays(1) / 2, TimeSpan.FromDays(1), 1000, BackoffJitter.None);
        foreach (int attempt in (int[])[1, 6, 62, 63, 64, 1000]) backoff.Delay(attempt, Randomness.Shared).Should().Be(TimeSpan.FromDays(1));
    }

    [Theory]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(1025)]
    public void Polly_2163_infinite_power_does_not_become_a_negative_delay(int attempt)
    {
        // There, 2^1024 is infinity as a double, and infinity cast to ticks is negative.
        foreach (BackoffJitter jitter in Enum.GetValues<BackoffJitter>())
        {
            Backoff backoff = Backoff.Exponential(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1), 2, jitter);
            backoff.Delay(attempt, Randomness.Seeded(attempt)).Should().BeGreaterThanOrEqualTo(TimeSpan.Zero).And.BeLessThanOrEqualTo(TimeSpan.FromMinutes(1));
            backoff.Ceiling(attempt).Should().Be(TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    public void Polly_Contrib_24_truncation_does_not_make_a_negative_delay()
    {
        // There, the decorrelated formula subtracted two nearly equal numbers and cut to a negative span at late attempts.
        Backoff backoff = Backoff.Decorrelated(TimeSpan.FromTicks(1), TimeSpan.FromTicks(3));
        Randomness random = Randomness.Seeded(24);
        TimeSpan delay = TimeSpan.Zero;
        for (int attempt = 0; attempt < 10_000; attempt++)
        {
            delay = backoff.Delay(attempt, delay, random);
            delay.Ticks.Should().BeInRange(1, 3);
        }
    }

    [Fact]
    public void Ceiling_does_not_wrap_when_tries_pass_24()
    {
        // An int of milliseconds wraps here: 200 ms × 2^24 is more than 2^31.
        Backoff backoff = Backoff.Exponential(TimeSpan.FromMilliseconds(200), TimeSpan.FromDays(1));
        for (int attempt = 19; attempt < 100; attempt++) backoff.Ceiling(attempt).Should().Be(TimeSpan.FromDays(1));
    }

    [Fact]
    public void Schedule_is_the_table_of_the_documentation()
    {
        TimeSpan min = TimeSpan.FromMilliseconds(200), max = TimeSpan.FromSeconds(5);
        double[] Of(Backoff backoff) => [.. backoff.Schedule(7).Select(d => d.TotalMilliseconds)];
        Of(Backoff.Constant(min)).Should().Equal(200, 200, 200, 200, 200, 200, 200);
        Of(Backoff.Linear(min, max)).Should().Equal(200, 400, 600, 800, 1000, 1200, 1400);
        Of(Backoff.Exponential(min, max)).Should().Equal(200, 400, 800, 1600, 3200, 5000, 5000);
        Of(Backoff.Decorrelated(min, max)).Should().Equal(600, 1800, 5000, 5000, 5000, 5000, 5000);
    }

    [Theory]
    [InlineData(-1.0)]
    [InlineData(1.0)]
    [InlineData(7.0)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void Delay_stays_inside_when_a_generator_leaves_its_range(double drawn)
    {
        foreach (BackoffJitter jitter in Enum.GetValues<BackoffJitter>())
        {
            TimeSpan delay = Backoff.Constant(TimeSpan.FromSeconds(1), jitter).Delay(0, new Fixed(drawn));
            delay.Should().BeGreaterThanOrEqualTo(TimeSpan.Zero).And.BeLessThanOrEqualTo(TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public void Arguments_out_of_range_are_rejected_by_name()
    {
        TimeSpan second = TimeSpan.FromSeconds(1);
        ((Action)(() => Backoff.Constant(TimeSpan.FromTicks(-1)))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("delay");
        ((Action)(() => Backoff.Constant(TimeSpan.MaxValue))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("delay");
        ((Action)(() => Backoff.Linear(second, second / 2))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("maxDelay");
        ((Action)(() => Backoff.Exponential(second, second, double.NaN))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("factor");
        ((Action)(() => Backoff.Exponential(second, second, 1))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("factor");
        ((Action)(() => Backoff.Exponential(second, second, 2, (BackoffJitter)9))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("jitter");
        ((Action)(() => Backoff.Constant(second).Delay(-1, Randomness.Shared))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("attempt");
        ((Action)(() => Backoff.Constant(second).Delay(0, null!))).Should().Throw<ArgumentNullException>().WithParameterName("random");
    }

    private sealed class Fixed(double value) : Randomness
    {
        public override double NextDouble() => value;
    }
}
