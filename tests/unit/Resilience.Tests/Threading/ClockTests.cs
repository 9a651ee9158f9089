using System.Numerics;
using CsCheck;

namespace Resilience.Tests.Threading;

/// <summary>Time of a user's provider: exact whatever its frequency, and never worse than a provider that throws or goes back allows.</summary>
public sealed class ClockTests
{
    private static readonly InvalidOperationException Planted = new("planted");

    private static BigInteger Exactly(long timestamp, long frequency)
    {
        BigInteger ms = BigInteger.DivRem((BigInteger)timestamp * 1000, frequency, out BigInteger rest);
        return rest.Sign < 0 ? ms - 1 : ms;
    }

    /// <summary>A timestamp and a frequency of which it comes: uptimes of nothing to many years, at 1 Hz to 10 GHz.</summary>
    private static readonly Gen<(long Timestamp, long Frequency)> Readings =
        from exponent in Gen.Double[0, 10]
        from near in Gen.Int[-2, 2]
        from bits in Gen.Int[0, 62]
        from timestamp in Gen.Long[0, 1L << 62]
        select (timestamp >> bits, Math.Clamp((long)Math.Pow(10, exponent) + near, 1, 10_000_000_000));

    private static bool IsExact(Func<long, long, long> toMs, long timestamp, long frequency)
    {
        BigInteger exactly = Exactly(timestamp, frequency);
        return BigInteger.Abs(exactly) >= long.MaxValue - 1000 || toMs(timestamp, frequency) == exactly;
    }

    [Fact]
    public void Milliseconds_are_exact_for_every_frequency_and_uptime() =>
        Readings.Sample(r => IsExact(Clock.ToMs, r.Timestamp, r.Frequency) && IsExact(Clock.ToMs, -r.Timestamp, r.Frequency), iter: 20_000);

    [Theory]
    [InlineData(false)] // what it was: drifts where the frequency is no multiple of 1000
    [InlineData(true)] // overflows after a long uptime
    public void The_check_finds_a_clock_that_drifts_and_one_that_overflows(bool overflows)
    {
        Func<long, long, long> planted = overflows ? (t, f) => unchecked(t * 1000) / f : (t, f) => f >= 1000 ? t / (f / 1000) : t * 1000 / f;
        FluentActions.Invoking(() => Readings.Sample(r => IsExact(planted, r.Timestamp, r.Frequency), iter: 20_000)).Should().Throw<CsCheckException>();
    }

    [Fact]
    public void A_break_of_10_seconds_lasts_10_seconds_at_1500_hertz()
    {
        ManualTime time = new(1500);
        CircuitBreaker breaker = new(
            new() { FailureRatio = null, ConsecutiveFailures = 1, BreakDuration = TimeSpan.FromSeconds(10), BreakJitter = 0 }, time);
        breaker.TryEnter(out CircuitPermit permit);
        breaker.Exit(permit, Verdict.Failure);
        time.Timestamp = 15_000 - 2;
        breaker.State.Should().Be(CircuitState.Open);
        breaker.TryEnter(out _).Should().NotBe(CircuitAdmission.AdmittedAsProbe, "9.9987 s have passed");
        time.Timestamp = 15_000;
        breaker.TryEnter(out _).Should().Be(CircuitAdmission.AdmittedAsProbe);
    }

    [Fact]
    public void A_provider_that_throws_makes_time_stand_still_and_is_counted()
    {
        ManualTime time = new(1000);
        Clock clock = Clock.For(time);
        time.Error = Planted;
        clock.NowMs.Should().Be(0, "nothing is known yet");
        time.Error = null;
        time.Timestamp = 5000;
        clock.NowMs.Should().Be(5000);
        time.Error = Planted;
        clock.NowMs.Should().Be(5000);
        time.Error = null;
        time.Timestamp = 6000;
        clock.NowMs.Should().Be(6000);
    }

    [Fact]
    public async Task A_provider_that_throws_breaks_no_call()
    {
        ManualTime time = new(1000) { Error = Planted };
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }.AddCircuitBreaker().AddConcurrencyLimit(5).Build();
        for (int i = 0; i < 10; i++) (await pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1))).IsSuccess.Should().BeTrue();
    }

    [Fact]
    public void A_provider_that_goes_back_makes_time_go_on_from_where_it_was()
    {
        ManualTime time = new(1000) { Timestamp = 100_000 };
        Clock clock = Clock.For(time);
        clock.NowMs.Should().Be(100_000);
        time.Timestamp = 40_000;
        clock.NowMs.Should().Be(100_000);
        time.Timestamp = 41_000;
        clock.NowMs.Should().Be(101_000, "it goes on, and does not wait until the provider has come back to where it was");
        time.Timestamp = 1_000;
        clock.NowMs.Should().Be(101_000);
        time.Timestamp = 3_000;
        clock.NowMs.Should().Be(103_000);
    }

    [Fact]
    public void Whatever_a_provider_does_time_never_goes_back() => Gen.Long[0, 1000].Array[1, 100].Sample(readings =>
    {
        ManualTime time = new(1000);
        Clock clock = Clock.For(time);
        long last = long.MinValue;
        foreach (long reading in readings)
        {
            time.Timestamp = reading;
            long now = clock.NowMs;
            if (now < last) return false;
            last = now;
        }

        return true;
    }, iter: 2_000);

    [Fact]
    public void Concurrent_reads_are_not_mistaken_for_a_jump_back()
    {
        ManualTime time = new(1000);
        Clock clock = Clock.For(time);
        Together.Run(2, 20_000, _ => { }, (_, _) =>
        {
            Interlocked.Increment(ref time.Timestamp);
            long before = Volatile.Read(ref time.Timestamp);
            clock.NowMs.Should().BeGreaterThanOrEqualTo(before);
        }, _ => { });
        clock.NowMs.Should().Be(time.Timestamp, "no lead has built up: time did not go back");
    }

    [Fact]
    public void A_frequency_of_nothing_is_rejected() =>
        FluentActions.Invoking(() => Clock.For(new ManualTime(0))).Should().Throw<ArgumentException>().WithMessage("*TimeProvider*0 times a second*");
}
