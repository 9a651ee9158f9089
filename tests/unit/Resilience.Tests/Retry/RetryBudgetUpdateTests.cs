using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Retry;

/// <summary>A living budget gets other options: no token is lost and none is made.</summary>
/// <remarks>Two flaws planted in <see cref="RetryBudget"/> were found by the race below: closing the word with a plain write, and opening the
/// successor with an exchange instead of a compare-and-exchange.</remarks>
[Collection(ThreadsCollection.Name)]
public sealed class RetryBudgetUpdateTests
{
    private readonly FakeTimeProvider _time = new();

    private static RetryBudgetOptions Options(double ratio, double floor, double windowSeconds) =>
        new() { Ratio = ratio, MinRetriesPerSecond = floor, Window = TimeSpan.FromSeconds(windowSeconds) };

    [Fact]
    public void Balance_is_kept_and_tends_to_the_new_rest()
    {
        RetryBudget budget = new(Options(0.5, 0, 10), _time);
        for (int i = 0; i < 100; i++) budget.RecordCall();
        budget.Balance.Should().Be(50);
        budget.Update(Options(0.1, 2, 30));
        budget.Balance.Should().Be(50);
        for (int i = 0; i < 100; i++) budget.RecordCall();
        budget.Balance.Should().Be(60, "a call brings a tenth now");
        _time.Advance(TimeSpan.FromHours(1));
        budget.Balance.Should().BeApproximately(60, 0.01, "2 a second over 30 s");
        budget.ToString().Should().Be("0.1 per call + 2/s over 30 s");
    }

    [Fact]
    public void Bad_options_and_the_unlimited_budget_are_rejected()
    {
        RetryBudget budget = new(Options(0.5, 0, 10), _time);
        budget.Invoking(b => b.Update(Options(11, 0, 10))).Should().Throw<ResilienceOptionsException>();
        budget.ToString().Should().StartWith("0.5 per call");
        RetryBudget.Unlimited.Invoking(b => b.Update(new())).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void No_token_is_lost_or_made_while_threads_deposit_withdraw_and_update()
    {
        // Time stands still and the ratio stays: whatever the interleaving, deposits less withdrawals is what must be there.
        RetryBudget budget = null!;
        int[] calls = new int[3], granted = new int[3];
        Together.Run(
            threads: 3,
            rounds: Environment.GetEnvironmentVariable("RESILIENCE_DEEP") == "1" ? 20_000 : 2_000,
            prepare: _ =>
            {
                budget = new(Options(0.5, 0, 10), _time);
                Array.Clear(calls);
                Array.Clear(granted);
            },
            act: (thread, round) =>
            {
                for (int i = 0; i < 40; i++)
                {
                    if (thread == 0 && i % 8 == 0) budget.Update(Options(0.5, 0, 10 + ((round + i) % 7)));
                    budget.RecordCall();
                    calls[thread]++;
                    if (i % 3 == 0 && budget.TryWithdraw()) granted[thread]++;
                }
            },
            check: _ => budget.Balance.Should().Be((calls.Sum() * 0.5) - granted.Sum()));
    }
}
