using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Retry;

/// <summary>What a budget grants, alone, on one thread and on many.</summary>
public class RetryBudgetTests
{
    private readonly FakeTimeProvider _time = new();

    private RetryBudget Budget(double ratio, double floor, double windowSeconds = 10) =>
        new(new() { Ratio = ratio, MinRetriesPerSecond = floor, Window = TimeSpan.FromSeconds(windowSeconds) }, _time);

    [Theory]
    [InlineData(10)]
    [InlineData(20)]
    [InlineData(30)]
    [InlineData(33)]
    [InlineData(50)]
    [InlineData(75)]
    [InlineData(99)]
    [InlineData(100)]
    [InlineData(200)]
    public void D10_ratio_is_exact_when_ten_thousand_calls_come_at_one_instant(int percent)
    {
        RetryBudget budget = Budget(percent / 100.0, floor: 0);
        for (int i = 0; i < 10_000; i++) budget.RecordCall();
        Withdrawn(budget).Should().Be(percent * 100);
    }

    [Fact]
    public void Ratio_is_exact_when_calls_and_retries_alternate()
    {
        RetryBudget budget = Budget(0.75, floor: 0);
        int granted = 0;
        for (int i = 0; i < 10_000; i++)
        {
            budget.RecordCall();
            if (budget.TryWithdraw()) granted++;
        }

        granted.Should().Be(7_500);
    }

    [Fact]
    public void New_budget_holds_what_the_floor_brings_in_a_window()
    {
        Budget(0.2, 10).Balance.Should().Be(100);
        Withdrawn(Budget(0, 2.5, 4)).Should().Be(10);
        Withdrawn(Budget(0, 0)).Should().Be(0);
    }

    [Fact]
    public void Floor_comes_back_with_time_when_the_budget_was_spent()
    {
        RetryBudget budget = Budget(0.2, 10);
        Withdrawn(budget);
        budget.TryWithdraw().Should().BeFalse();
        _time.Advance(TimeSpan.FromSeconds(1));
        Withdrawn(budget).Should().BeInRange(6, 10);
        _time.Advance(TimeSpan.FromMinutes(5));
        budget.Balance.Should().Be(100, "the resting balance is reached exactly, not nearly");
    }

    [Theory]
    [InlineData(0.1, 10)]
    [InlineData(1, 1)]
    [InlineData(0.02, 60)]
    public void Smallest_floor_grants_a_retry_again_however_often_it_is_asked(double floor, int window)
    {
        RetryBudget budget = Budget(0, floor, window);
        budget.TryWithdraw().Should().BeTrue();
        budget.TryWithdraw().Should().Be(floor * window >= 2);
        bool again = false;
        for (int step = 0; step < 100 * window && !again; step++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            budget.RecordCall(); // writes the word at each step, so that rounding happens as often as it can
            again = budget.TryWithdraw();
        }

        again.Should().BeTrue("rounding must not freeze the account below one token");
    }

    [Fact]
    public void Savings_expire_when_time_passes()
    {
        RetryBudget budget = Budget(1, floor: 0);
        for (int i = 0; i < 1000; i++) budget.RecordCall();
        budget.Balance.Should().Be(1000);
        _time.Advance(TimeSpan.FromSeconds(10));
        budget.Balance.Should().BeApproximately(1000 / Math.E, 10);
        _time.Advance(TimeSpan.FromDays(400));
        budget.Balance.Should().Be(0);
    }

    [Fact]
    public void Balance_saturates_when_deposits_never_end()
    {
        RetryBudgetRules rules = new(new() { Ratio = 10, MinRetriesPerSecond = 0 });
        ulong word = rules.OnCall(RetryBudgetRules.Word(7, uint.MaxValue - 5), 7);
        RetryBudgetRules.BalanceOf(word).Should().Be(uint.MaxValue);
        RetryBudgetRules.QuantumOf(word).Should().Be(7);
        rules.OnCall(word, 7).Should().Be(word);
    }

    [Fact]
    public void Unlimited_grants_everything()
    {
        RetryBudget.Unlimited.IsUnlimited.Should().BeTrue();
        RetryBudget.Unlimited.RecordCall();
        RetryBudget.Unlimited.TryWithdraw().Should().BeTrue();
        RetryBudget.Unlimited.Balance.Should().Be(double.PositiveInfinity);
    }

    [Fact]
    public void Options_are_rejected_in_one_message_when_they_are_out_of_range()
    {
        Action make = () => _ = new RetryBudget(new() { Ratio = double.NaN, MinRetriesPerSecond = double.PositiveInfinity, Window = TimeSpan.MaxValue });
        make.Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option)
            .Should().BeEquivalentTo("Ratio", "MinRetriesPerSecond", "Window");
        Problems(new() { Ratio = -0.1 }).Should().Be(1);
        Problems(new() { Ratio = 0.0004 }).Should().Be(1);
        Problems(new() { MinRetriesPerSecond = 0.05 }).Should().Be(1, "half a token in a window would never grant a retry");
        Problems(new() { Ratio = 0, MinRetriesPerSecond = 0 }).Should().Be(0);
        static int Problems(RetryBudgetOptions options) => options.FindProblems().Count;
    }

    [Fact]
    public void Word_is_laid_out_as_drawn()
    {
        (RetryBudgetRules.QuantumBits + RetryBudgetRules.BalanceBits).Should().Be(64);
        foreach (uint quantum in (uint[])[0, 1, 0x8000_0000, uint.MaxValue])
        {
            foreach (uint balance in (uint[])[0, 1, 1000, 0x8000_0000, uint.MaxValue])
            {
                ulong word = RetryBudgetRules.Word(quantum, balance);
                RetryBudgetRules.QuantumOf(word).Should().Be(quantum);
                RetryBudgetRules.BalanceOf(word).Should().Be(balance);
            }
        }

        (RetryBudgetRules.Word(uint.MaxValue, 0) & RetryBudgetRules.Word(0, uint.MaxValue)).Should().Be(0UL);
        (RetryBudgetRules.Word(uint.MaxValue, 0) | RetryBudgetRules.Word(0, uint.MaxValue)).Should().Be(ulong.MaxValue);
    }

    [Theory]
    [InlineData(1, 16)]
    [InlineData(10, 256)]
    [InlineData(60, 1024)]
    public void Quantum_is_a_power_of_two_below_a_32nd_of_the_window(int windowSeconds, int quantumMs) =>
        (1 << new RetryBudgetRules(new() { Window = TimeSpan.FromSeconds(windowSeconds) }).QuantumShift).Should().Be(quantumMs);

    [Fact]
    public void Late_reading_of_the_clock_changes_no_time()
    {
        RetryBudgetRules rules = new(new());
        ulong word = RetryBudgetRules.Word(100_000, 50_000);
        rules.AtQuantum(word, 99_999).Should().Be(word);
        rules.AtQuantum(word, 100_000 - RetryBudgetRules.Lag).Should().Be(word);
        RetryBudgetRules.QuantumOf(rules.AtQuantum(word, 100_001)).Should().Be(100_001u);
        ulong beforeWrap = RetryBudgetRules.Word(uint.MaxValue, 50_000);
        RetryBudgetRules.QuantumOf(rules.AtQuantum(beforeWrap, 3)).Should().Be(3u, "the count goes on after it has wrapped");
    }

    [Theory]
    [InlineData(0.1, 10)]
    [InlineData(10, 10)]
    [InlineData(1, 1)]
    [InlineData(0.02, 60)]
    [InlineData(10_000, 60)]
    public void Income_of_a_quantum_is_never_more_than_the_floor_brings(double floor, int window)
    {
        RetryBudgetRules rules = new(new() { MinRetriesPerSecond = floor, Window = TimeSpan.FromSeconds(window) });
        foreach (uint quanta in (uint[])[1, 2, 3, 10, 31, 64, 1000, 5000, 1 << 20])
        {
            uint income = RetryBudgetRules.BalanceOf(rules.AtQuantum(RetryBudgetRules.Word(0, 0), quanta));
            double thousandths = floor * quanta * (1 << rules.QuantumShift);
            ((double)income).Should().BeLessThanOrEqualTo(thousandths).And.BeGreaterThan(0);
        }
    }

    private static int Withdrawn(RetryBudget budget)
    {
        int granted = 0;
        while (budget.TryWithdraw()) granted++;
        return granted;
    }
}
