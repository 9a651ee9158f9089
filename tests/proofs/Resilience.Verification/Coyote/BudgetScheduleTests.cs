using Microsoft.Coyote.Specifications;

namespace Resilience.Verification.Coyote;

public sealed class BudgetScheduleTests(ITestOutputHelper output)
{
    private static readonly RetryBudgetOptions OneToken = new() { Ratio = 0.5, MinRetriesPerSecond = 1, Window = TimeSpan.FromSeconds(1) };
    private static readonly RetryBudgetOptions OtherRatio = new() { Ratio = 1, MinRetriesPerSecond = 1, Window = TimeSpan.FromSeconds(1) };

    /// <summary>What threads can do to an account that holds one token. The balance is kept in thousandths, so nothing is rounded.</summary>
    public static TheoryData<string, string> Pairs
    {
        get
        {
            string[] actions = ["call", "retry", "retry twice", "update"];
            TheoryData<string, string> pairs = [];
            for (int i = 0; i < actions.Length; i++)
            {
                for (int j = i; j < actions.Length; j++) pairs.Add(actions[i], actions[j]);
            }

            return pairs;
        }
    }

    [CoyoteTheory]
    [MemberData(nameof(Pairs))]
    public void An_account_is_conserved_whatever_two_threads_do(string first, string second)
    {
        Exploration found = Explorer.Exhaust(() => Check(first, second), Grain.Volatiles, Bounds.Of(300, 10_000));
        output.WriteLine($"{first} and {second}: {found.Schedules:N0} schedules{(found.IsComplete ? ", no other exists" : "")}");
        found.Flaw.Should().BeNull();
    }

    [CoyoteTheory]
    [MemberData(nameof(Pairs))]
    public void An_account_is_conserved_in_every_order_of_the_atomic_steps(string first, string second)
    {
        Exploration found = Explorer.Exhaust(() => Check(first, second), Grain.Atomics, 100_000);
        output.WriteLine($"{first} and {second}: {found.Schedules:N0} schedules");
        found.Flaw.Should().BeNull();
        found.IsComplete.Should().BeTrue();
    }

    [CoyoteFact]
    public void An_account_that_decides_and_pays_in_two_steps_is_found()
    {
        Exploration found = Explorer.Exhaust(
            () =>
            {
                long balance = 1000;
                int granted = 0;
                Threads.Run(Retry, Retry);
                Specification.Assert(granted <= 1, "{0} were granted of one token", granted);

                void Retry()
                {
                    if (Volatile.Read(ref balance) < 1000) return;
                    Interlocked.Add(ref balance, -1000);
                    Interlocked.Increment(ref granted);
                }
            },
            Grain.Atomics,
            1000);
        output.WriteLine($"found after {found.Schedules} schedules");
        found.Flaw.Should().Contain("were granted of one token");
    }

    private static void Check(string first, string second)
    {
        RetryBudget budget = new(OneToken, new ScenarioClock());
        double deposited = 0;
        int granted = 0;
        Threads.Run(() => Act(first), () => Act(second));
        double expected = 1 + deposited - granted;
        bool isEitherRatio = first == "update" || second == "update";
        bool isWhole = budget.Balance == expected || (isEitherRatio && budget.Balance == expected + 0.5 && deposited > 0);
        Specification.Assert(isWhole && budget.Balance >= 0, "{0} and {1}: the balance is {2}, expected {3}", first, second, budget.Balance, expected);

        void Act(string what)
        {
            switch (what)
            {
                case "call":
                    budget.RecordCall();
                    deposited += 0.5; // of one thread at a time: the scheduler lets no thread in between without an atomic step
                    break;
                case "update":
                    budget.Update(OtherRatio);
                    break;
                default:
                    for (int i = what == "retry" ? 1 : 2; i > 0; i--)
                    {
                        if (budget.TryWithdraw()) granted++;
                    }

                    break;
            }
        }
    }
}
