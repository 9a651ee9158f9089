namespace Resilience.Tests.Retry;

/// <summary>The arithmetic of the budget and the words of the backoff, number by number.</summary>
public sealed class PureBudgetTests
{
    private static RetryBudgetRules Rules(double ratio = 0.2, double floor = 10, double window = 10) =>
        new(new() { Ratio = ratio, MinRetriesPerSecond = floor, Window = TimeSpan.FromSeconds(window) });

    [Theory]
    [InlineData(0.2, 10.0, 10.0, 8, 200u, 100_000u)]
    [InlineData(0.333, 0.0, 1.0, 4, 333u, 0u)]
    [InlineData(2.0, 1.7, 60.0, 10, 2000u, 102_000u)]
    [InlineData(0.0006, 0.1, 2.0, 5, 1u, 200u)]
    public void The_options_become_whole_numbers(double ratio, double floor, double window, int shift, uint deposit, uint resting)
    {
        RetryBudgetRules rules = Rules(ratio, floor, window);
        (rules.QuantumShift, rules.Deposit, rules.Resting).Should().Be((shift, deposit, resting));
    }

    [Fact]
    public void The_word_is_laid_out_as_drawn_and_closed_by_its_quantum()
    {
        ulong word = RetryBudgetRules.Word(7, 9);
        word.Should().Be((7UL << 32) | 9);
        (RetryBudgetRules.QuantumOf(word), RetryBudgetRules.BalanceOf(word), RetryBudgetRules.IsClosed(word)).Should().Be((7u, 9u, false));
        ulong closed = RetryBudgetRules.Closed(word);
        (RetryBudgetRules.QuantumOf(closed), RetryBudgetRules.BalanceOf(closed), RetryBudgetRules.IsClosed(closed)).Should().Be((uint.MaxValue, 9u, true));
    }

    [Fact]
    public void A_call_brings_its_share_and_a_retry_takes_a_whole_token()
    {
        RetryBudgetRules rules = Rules();
        rules.OnCall(RetryBudgetRules.Word(5, 1000), 5).Should().Be(RetryBudgetRules.Word(5, 1200));
        rules.OnCall(RetryBudgetRules.Word(5, uint.MaxValue - 100), 5)
            .Should().Be(RetryBudgetRules.Word(5, uint.MaxValue), "it saturates and never carries into the quantum");
        rules.OnRetry(RetryBudgetRules.Word(5, 1000), 5).Should().Be((RetryBudgetRules.Word(5, 0), BudgetDecision.Granted));
        rules.OnRetry(RetryBudgetRules.Word(5, 999), 5).Should().Be((RetryBudgetRules.Word(5, 999), BudgetDecision.Rejected));
    }

    [Theory]
    [InlineData(100_000u, 5u, 100_000u)] // at rest
    [InlineData(200_000u, 0u, 200_000u)] // no time
    [InlineData(200_000u, 1u, 197_472u)] // exp(-0.0256) of what lies above, rounded down
    [InlineData(200_000u, 2u, 195_008u)]
    [InlineData(200_000u, 3u, 192_607u)]
    [InlineData(200_000u, 4095u, 100_000u)]
    [InlineData(200_000u, 4096u, 100_000u)]
    [InlineData(0u, 1u, 2_528u)] // what is missing decays too; 10 a second would have been 2,560
    [InlineData(0u, 4096u, 100_000u)]
    public void The_balance_moves_towards_rest(uint balance, uint quanta, uint expected) =>
        RetryBudgetRules.BalanceOf(Rules().AtQuantum(RetryBudgetRules.Word(50, balance), 50 + quanta)).Should().BeInRange(expected - 2, expected + 2);

    [Fact]
    public void Never_more_comes_in_than_the_floor_times_the_time()
    {
        RetryBudgetRules rules = Rules(floor: 0.02, window: 60); // 0.02 a second: 20.48 thousandths in a quantum of 1,024 ms
        RetryBudgetRules.BalanceOf(rules.AtQuantum(RetryBudgetRules.Word(0, 0), 1)).Should().BeInRange(19, 20);
        for (uint quanta = 1; quanta < 200; quanta++)
            RetryBudgetRules.BalanceOf(rules.AtQuantum(RetryBudgetRules.Word(0, 0), quanta)).Should().BeLessThanOrEqualTo((uint)(20.48 * quanta));
    }

    [Fact]
    public void A_reading_that_lags_a_little_changes_nothing_and_one_that_lags_a_lot_has_wrapped()
    {
        RetryBudgetRules rules = Rules();
        ulong word = RetryBudgetRules.Word(1_000_000, 5_000);
        rules.AtQuantum(word, 999_999).Should().Be(word);
        rules.AtQuantum(word, 1_000_000 - RetryBudgetRules.Lag).Should().Be(word);
        rules.AtQuantum(word, 1_000_000 - RetryBudgetRules.Lag - 1).Should().Be(RetryBudgetRules.Word(1_000_000 - RetryBudgetRules.Lag - 1, 100_000));
        rules.AtQuantum(RetryBudgetRules.Word(uint.MaxValue - 1, 0), 3)
            .Should().NotBe(RetryBudgetRules.Word(uint.MaxValue - 1, 0), "the count of quanta wraps without a seam");
    }

    [Fact]
    public void Budgets_and_backoffs_say_what_they_do()
    {
        Rules(0.2, 10, 10).ToString().Should().Be("0.2 per call + 10/s over 10 s");
        Rules(0.25, 0.5, 60).ToString().Should().Be("0.25 per call + 0.5/s over 60 s");
        TimeSpan min = TimeSpan.FromMilliseconds(200), max = TimeSpan.FromSeconds(5);
        Backoff.Constant(min).ToString().Should().Be("constant 200 ms, jitter Full");
        Backoff.Linear(min, max, BackoffJitter.None).ToString().Should().Be("linear 200 ms to 5 s, jitter None");
        Backoff.Exponential(min, max, 1.5, BackoffJitter.Equal).ToString().Should().Be("exponential 200 ms to 5 s by 1.5, jitter Equal");
        Backoff.Decorrelated(min, max).ToString().Should().Be("decorrelated 200 ms to 5 s");
    }

    [Fact]
    public void A_backoff_tells_its_numbers_and_is_made_as_the_options_say()
    {
        TimeSpan min = TimeSpan.FromMilliseconds(200), max = TimeSpan.FromSeconds(5);
        foreach (BackoffKind kind in Enum.GetValues<BackoffKind>())
        {
            Backoff made = Backoff.From(new() { BackoffKind = kind, BaseDelay = min, MaxDelay = max, Factor = 3, Jitter = BackoffJitter.Equal });
            (made.Kind, made.BaseDelay, made.MaxDelay, made.Factor, made.Jitter).Should().Be((
                kind, min, kind == BackoffKind.Constant ? min : max, kind == BackoffKind.Exponential ? 3 : 1, kind == BackoffKind.Decorrelated ? BackoffJitter.Full : BackoffJitter.Equal));
        }

        foreach (Backoff nothing in new[] { Backoff.Linear(default, max), Backoff.Exponential(default, max), Backoff.Decorrelated(default, max) })
            (nothing.Ceiling(0), nothing.Ceiling(int.MaxValue), nothing.MaxDelay)
                .Should().Be((TimeSpan.Zero, TimeSpan.Zero, TimeSpan.Zero), "zero does not grow");
        Backoff.Linear(min, TimeSpan.FromMilliseconds(1000)).Schedule(6).Select(d => d.TotalMilliseconds).Should().Equal(200, 400, 600, 800, 1000, 1000);
        Backoff.Exponential(min, min).Schedule(2).Should().Equal(min, min);
        Backoff.Exponential(min, max, 1.01).Factor.Should().Be(1.01);
        Backoff.Exponential(min, max, 1000).Factor.Should().Be(1000);
        ((Action)(() => Backoff.Exponential(min, max, 1000.1))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => Backoff.Exponential(min, max, 1.009))).Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => Backoff.Constant(min).Ceiling(-1))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("attempt");
        ((Action)(() => Backoff.Constant(min).Schedule(-1))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("retries");
        ((Action)(() => Backoff.Exponential(TimeSpan.FromTicks(-1), max))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("baseDelay");
        ((Action)(() => Backoff.Exponential(max, min))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName("maxDelay");
        ((Action)(() => Backoff.Decorrelated(min, max).Delay(-1, min, Randomness.Shared))).Should().Throw<ArgumentOutOfRangeException>()
            .WithParameterName("attempt");
        ((Action)(() => Backoff.Decorrelated(min, max).Delay(0, min, null!))).Should().Throw<ArgumentNullException>().WithParameterName("random");
        Backoff.Constant(TimeSpan.FromDays(1)).MaxDelay.Should().Be(TimeSpan.FromDays(1));
        ((Action)(() => Backoff.Constant(TimeSpan.FromDays(1) + TimeSpan.FromTicks(1)))).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Theory]
    [InlineData(0.0, 200, 200)]
    [InlineData(0.5, 200, 400)] // halfway from the base to three times the wait before
    [InlineData(0.999999, 200, 600)]
    [InlineData(0.5, 100, 400)] // less than the base counts as the base
    [InlineData(0.5, 1000, 1600)]
    [InlineData(0.5, 2000, 2600)] // three times the wait before is more than the maximum
    [InlineData(0.5, 5000, 2600)]
    [InlineData(0.5, 99999, 2600)]
    [InlineData(0.5, 5e14, 2600)] // three times as much would wrap to a negative span
    public void A_decorrelated_wait_is_drawn_between_the_base_and_three_times_the_wait_before(double random, double previousMs, double expectedMs) =>
        Backoff.Decorrelated(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5)).Delay(3, TimeSpan.FromMilliseconds(previousMs), new Fixed(random))
            .TotalMilliseconds.Should().BeApproximately(expectedMs, 0.01);

    [Theory]
    [InlineData(BackoffJitter.None, 0.25, 800)]
    [InlineData(BackoffJitter.Full, 0.25, 200)]
    [InlineData(BackoffJitter.Equal, 0.25, 500)]
    public void A_wait_is_drawn_below_its_ceiling(BackoffJitter jitter, double random, double expectedMs)
    {
        Backoff backoff = Backoff.Exponential(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5), 2, jitter);
        backoff.Delay(2, new Fixed(random)).TotalMilliseconds.Should().BeApproximately(expectedMs, 0.01);
        backoff.Delay(2, TimeSpan.FromSeconds(99), new Fixed(random))
            .TotalMilliseconds.Should().BeApproximately(expectedMs, 0.01, "only the decorrelated kind cares for the wait before");
        Backoff.Decorrelated(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5)).Delay(0, new Fixed(0.5))
            .TotalMilliseconds.Should().BeApproximately(400, 0.01);
    }

    [Fact]
    public void The_total_of_a_geometric_backoff_counts_each_retry_once()
    {
        Backoff backoff = Backoff.Exponential(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1));
        (backoff.Total(0), backoff.Total(2), backoff.Total(5)).Should().Be((TimeSpan.Zero, TimeSpan.FromMilliseconds(600), TimeSpan.FromMilliseconds(3400)));
        Backoff linear = Backoff.Linear(TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(600));
        (linear.Total(1), linear.Total(3), linear.Total(5))
            .Should().Be((TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(1200), TimeSpan.FromMilliseconds(2400)));
    }

    private sealed class Fixed(double value) : Randomness
    {
        public override double NextDouble() => value;
    }
}
