namespace Resilience.Verification.Coyote;

/// <summary>The explorer explores: where a scenario has calls that Coyote does not see as steps, too, its threads are stopped at each step, and every order
/// of the steps comes.</summary>
public sealed class ExplorerTests
{
    [CoyoteTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_order_of_the_steps_of_two_threads_comes(bool flows)
    {
        HashSet<string> orders = [];
        Exploration found = Explorer.Exhaust(() => Scenario(orders, flows), Grain.Atomics, 10_000, flows);

        found.Flaw.Should().BeNull();
        found.IsComplete.Should().BeTrue("there are few orders");
        orders.Should().BeEquivalentTo("1122", "1212", "1221", "2112", "2121", "2211");
    }

    /// <summary>The same steps in another order by chance would be found on a machine with many processors, and never on one with a single one.</summary>
    [CoyoteFact]
    public void One_order_of_many_is_found_each_time()
    {
        for (int i = 0; i < 3; i++)
        {
            HashSet<string> orders = [];
            Explorer.Sample(() => Scenario(orders, flows: true), Grain.Atomics, 200, flows: true).Flaw.Should().BeNull();
            orders.Should().HaveCount(6);
        }
    }

    private static void Scenario(HashSet<string> orders, bool flows)
    {
        long steps = 0;
        Threads.Run(() => Step(1), () => Step(2));
        string order = string.Concat(steps.ToString(System.Globalization.CultureInfo.InvariantCulture));
        lock (orders) orders.Add(order);

        void Step(int thread)
        {
            for (int i = 0; i < 2; i++)
            {
                if (flows) ExecutionContext.Capture();
                long seen, next;
                do
                {
                    seen = Volatile.Read(ref steps);
                    next = (seen * 10) + thread;
                }
                while (Interlocked.CompareExchange(ref steps, next, seen) != seen);
            }
        }
    }
}
