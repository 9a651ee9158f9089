using CsCheck;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Retry;

/// <summary>The budget against its slow twin, against the law of conservation, and on many threads; and the same checks against broken budgets.</summary>
public class RetryBudgetModelTests
{
    private enum Step
    {
        Call,
        Withdraw,
        ShortPause,
        LongPause,
        Update,
    }

    private delegate IAccount Maker(RetryBudgetOptions options, TimeProvider time);

    private static readonly Maker Real = (options, time) => new RealAccount(new(options, time));

    private static readonly RetryBudgetOptions[] Settings =
    [
        Options(0.2, 10, 10), Options(0.333, 0, 10), Options(1, 0.5, 2), Options(0.75, 0.1, 10), Options(2, 1.7, 1), Options(0, 0.02, 60),
    ];

    private static readonly Gen<(RetryBudgetOptions Options, (Step Step, int Amount)[] History)> Histories =
        Gen.Select(Gen.Int[0, 5].Select(i => Settings[i]), Gen.Select(Gen.Int[0, (int)Step.LongPause].Select(i => (Step)i), Gen.Int[1, 40]).Array[0, 120]);

    private static RetryBudgetOptions Options(double ratio, double floor, double window) =>
        new() { Ratio = ratio, MinRetriesPerSecond = floor, Window = TimeSpan.FromSeconds(window) };

    [Fact]
    public void Random_histories_agree_with_the_twin() =>
        Histories.Sample(h => FindDifference(Real, h.Options, h.History) is null, iter: 2_000);

    [Fact]
    public void Every_history_of_six_operations_agrees_with_the_twin()
    {
        foreach (RetryBudgetOptions options in Settings) FindDifferenceInAll(Real, options).Should().BeNull();
    }

    [Theory]
    [InlineData("hoarding")]
    [InlineData("refilling")]
    [InlineData("truncated cost")]
    public void Histories_find_the_planted_bug(string bug)
    {
        Maker broken = bug switch
        {
            "hoarding" => (o, t) => new HoardingAccount(o, t),
            "refilling" => (o, t) => new RefillingAccount(o, t),
            _ => (o, _) => new TruncatedCostAccount(o),
        };
        FindDifferenceInAll(broken, bug == "truncated cost" ? Options(0.75, 0, 10) : Options(1, 1, 10)).Should().NotBeNull();
    }

    [Fact]
    public void Every_history_with_updates_agrees_with_the_twin()
    {
        for (int i = 0; i < Settings.Length; i++)
            FindDifferenceWithUpdates(Real, Settings[i], Settings[(i + 1) % Settings.Length]).Should().BeNull();
    }

    [Theory]
    [InlineData("reopened")]
    [InlineData("deaf")]
    public void Histories_with_updates_find_the_planted_bug(string bug) => FindDifferenceWithUpdates(
        (o, t) => bug == "deaf" ? new DeafAccount(o, t) : new ReopenedAccount(o, t), Options(0.2, 1, 10), Options(0.5, 2, 5)).Should().NotBeNull();

    /// <summary>Every history of five operations, of which an update is one: it changes to the other options and back.</summary>
    private static string? FindDifferenceWithUpdates(Maker make, RetryBudgetOptions first, RetryBudgetOptions second)
    {
        const int Length = 5, Steps = (int)Step.Update + 1;
        for (int code = 0; code < Steps * Steps * Steps * Steps * Steps; code++)
        {
            (Step, int)[] history = new (Step, int)[Length];
            for (int i = 0, rest = code; i < Length; i++, rest /= Steps) history[i] = ((Step)(rest % Steps), 20);
            if (FindDifference(make, first, history, second) is { } difference) return $"{string.Join(' ', history)}: {difference}";
        }

        return null;
    }

    [Fact]
    public void Threads_never_withdraw_more_than_was_deposited() => FindOverspending(Real, rounds: 300).Should().BeNull();

    [Fact]
    public void Twin_passes_the_check_of_the_threads() => FindOverspending((o, t) => new TwinAccount(o, t), rounds: 100).Should().BeNull();

    [Fact]
    public void Threads_find_the_planted_check_then_act() =>
        FindOverspending((o, t) => new CheckThenActAccount(o, t), rounds: 3_000).Should().NotBeNull();

    [Fact]
    public void Conservation_is_exact_when_threads_deposit_and_withdraw_at_one_instant()
    {
        const int Threads = 8, Calls = 20_000;
        FakeTimeProvider time = new();
        RetryBudget budget = new(Options(0.2, 10, 10), time);
        int[] granted = OnThreads(Threads, _ =>
        {
            int mine = 0;
            for (int i = 0; i < Calls; i++)
            {
                budget.RecordCall();
                if (budget.TryWithdraw()) mine++;
            }

            return mine;
        });
        int rest = 0;
        while (budget.TryWithdraw()) rest++;
        (granted.Sum() + rest).Should().Be(100 + (Threads * Calls / 5), "nothing is lost and nothing is made");
    }

    [Fact]
    public void Bound_holds_when_threads_spend_while_time_passes()
    {
        const int Threads = 4, Calls = 5_000, Steps = 400;
        FakeTimeProvider time = new();
        RetryBudget budget = new(Options(0.2, 10, 10), time);
        int[] granted = OnThreads(Threads + 1, thread =>
        {
            if (thread == Threads)
            {
                for (int i = 0; i < Steps; i++) time.Advance(TimeSpan.FromMilliseconds(50));
                return 0;
            }

            int mine = 0;
            for (int i = 0; i < Calls; i++)
            {
                budget.RecordCall();
                if (budget.TryWithdraw()) mine++;
                if (budget.TryWithdraw()) mine++;
            }

            return mine;
        });
        double bound = (0.2 * Threads * Calls) + (10 * ((Steps * 0.05) + 10));
        granted.Sum().Should().BeGreaterThan(Threads * Calls / 10).And.BeLessThanOrEqualTo((int)bound);
    }

    /// <summary>Runs one history on both; null, or what differed.</summary>
    private static string? FindDifference(
        Maker make, RetryBudgetOptions options, (Step Step, int Amount)[] history, RetryBudgetOptions? updates = null)
    {
        FakeTimeProvider time = new();
        IAccount account = make(options, time);
        TwinAccount twin = new(options, time);
        RetryBudgetOptions other = updates ?? options;
        double calls = 0, withdrawn = 0, elapsed = 0, ratio = Math.Max(Math.Round(options.Ratio, 3), Math.Round(other.Ratio, 3));
        double floor = Math.Max(options.MinRetriesPerSecond, other.MinRetriesPerSecond);
        double window = Math.Max(options.Window.TotalSeconds, other.Window.TotalSeconds);
        for (int i = 0; i < history.Length; i++)
        {
            (Step step, int amount) = history[i];
            if (step is Step.ShortPause or Step.LongPause)
            {
                TimeSpan pause = step == Step.ShortPause ? options.Window / 1000 * amount : options.Window * (1 + (amount / 10.0));
                time.Advance(pause);
                elapsed += pause.TotalSeconds;
            }
            else if (step == Step.Update)
            {
                (options, other) = (other, options);
                account.Update(options);
                twin.Update(options);
            }
            else if (step == Step.Call)
            {
                calls++;
                account.RecordCall();
                twin.RecordCall();
            }
            else
            {
                bool granted = account.TryWithdraw();
                if (granted) withdrawn++;
                if (granted != twin.Balance >= 1 && Math.Abs(twin.Balance - 1) > Tolerance(twin)) return $"{i}: withdrawal {granted}, twin has {twin.Balance}";
                if (granted) twin.Force();
            }

            if (withdrawn > (ratio * calls) + (floor * (elapsed + window)) + 1e-9)
                return $"{i}: {withdrawn} withdrawn, more than ever came in";
            if (Math.Abs(account.Balance - twin.Balance) > Tolerance(twin)) return $"{i}: balance {account.Balance}, twin has {twin.Balance}";
        }

        return null;
    }

    /// <summary>
    /// The account counts whole thousandths. The resting balance is cut to one (1), and each time that time passes the decayed part is
    /// cut once and the income once more (2); the decay of a large balance is off by 12 × 2^-32 of it, which is nothing here. Errors
    /// shrink with the balance, so their plain sum is an upper bound.
    /// </summary>
    private static double Tolerance(TwinAccount twin) => 0.001 * (1 + (2 * twin.Agings)) + 1e-6;

    private static string? FindDifferenceInAll(Maker make, RetryBudgetOptions options)
    {
        const int Length = 6;
        for (int code = 0; code < 1 << (2 * Length); code++)
        {
            int rest = code;
            (Step, int)[] history = [.. Enumerable.Range(0, Length).Select(i => ((Step)((rest >> (2 * i)) & 3), 20))];
            if (FindDifference(make, options, history) is { } difference) return $"{string.Join(' ', history)}: {difference}";
        }

        return null;
    }

    /// <summary>Three tokens and eight threads that all want one, again and again; null, or the round in which more than three were granted.</summary>
    private static string? FindOverspending(Maker make, int rounds)
    {
        const int Threads = 8;
        IAccount account = null!;
        int granted = 0;
        string? found = null;
        using Barrier barrier = new(Threads, _ =>
        {
            // Runs between the rounds, on one thread.
            if (account is not null && granted != 3) found ??= $"{granted} of 3 tokens were granted";
            granted = 0;
            account = make(Options(0, 0.3, 10), new FakeTimeProvider());
        });
        OnThreads(Threads, _ =>
        {
            barrier.SignalAndWait();
            for (int round = 0; round < rounds; round++)
            {
                if (account.TryWithdraw()) Interlocked.Increment(ref granted);
                barrier.SignalAndWait();
            }

            return 0;
        });
        return found;
    }

    private static T[] OnThreads<T>(int count, Func<int, T> work)
    {
        T[] results = new T[count];
        using Barrier start = new(count);
        Thread[] threads = [.. Enumerable.Range(0, count).Select(i => new Thread(() =>
        {
            start.SignalAndWait();
            results[i] = work(i);
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        return results;
    }
}
