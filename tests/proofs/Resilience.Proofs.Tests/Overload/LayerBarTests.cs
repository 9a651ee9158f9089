using Resilience.Testing;

namespace Resilience.Tests.Overload;

/// <summary>Services that call services: what retries in every layer add, and for whom work is done, with what travels with a request and without it.</summary>
public sealed class LayerBarTests
{
    private const int PerSecond = 1000;
    private static readonly int Length = Bounds.Of(15, 60);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Service = TimeSpan.FromMilliseconds(50);

    [Fact]
    public async Task Four_layers_of_retries_add_a_fifth_to_the_load_of_a_dead_leaf()
    {
        (SimulationReport report, SimulatedDependency leaf) = await DeadLeafAsync(marks: true, Seconds(Length), PerSecond, o => o.Budget = Budget());
        ((double)leaf.Arrivals / report.Started).Should().BeLessThan(1.21, "the budget of the last layer alone is spent");
        for (int from = 1; from + 10 <= Length; from++)
            Amplification(report, from, from + 10).Should().BeLessThan(1.21, "in the ten seconds from {0} on", from);
        Amplification(report, 0, 1).Should().BeLessThan(4);
    }

    [Fact]
    public async Task Without_the_mark_every_layer_adds_its_fifth()
    {
        (SimulationReport report, SimulatedDependency leaf) = await DeadLeafAsync(marks: false, Seconds(Length), PerSecond, o => o.Budget = Budget());
        ((double)leaf.Arrivals / report.Started).Should().BeApproximately(Math.Pow(1.2, 4), 0.12);
    }

    [Fact]
    public async Task Without_budgets_and_the_mark_one_call_becomes_256()
    {
        (SimulationReport report, SimulatedDependency leaf) = await DeadLeafAsync(marks: false, Seconds(5), 4, o => o.Budget = RetryBudget.Unlimited);
        leaf.Arrivals.Should().Be(256 * report.Started);
    }

    [Fact]
    public async Task A_caller_that_retries_by_itself_and_honors_nothing_pays_for_itself_alone()
    {
        Simulation world = new(1);
        (SimulatedService first, SimulatedDependency leaf) = Chain(world, marks: true, o => o.Budget = Budget());
        long asked = 0;
        world.AddArrivals("sdk", 200, async token =>
        {
            for (int attempt = 0; ; attempt++)
            {
                asked++;
                try
                {
                    await first.CallAsync(token);
                }
                catch (DoNotAskAgainException) when (attempt < 5)
                {
                    continue;
                }

                return;
            }
        });
        await world.RunAsync(Seconds(Length));
        ((double)leaf.Arrivals / asked).Should().BeLessThan(1.21);
    }

    [Fact]
    public async Task Deadlines_that_travel_spare_the_work_that_no_caller_waits_for()
    {
        (_, long served, long inVain) = await OverloadedLeafAsync(deadlines: true, TimeSpan.Zero);
        (SimulationReport inTime, long servedInTime, long inVainInTime) = await OverloadedLeafAsync(deadlines: true, Service * 1.2);
        (SimulationReport without, long servedWithout, long inVainWithout) = await OverloadedLeafAsync(deadlines: false, TimeSpan.Zero);
        ((double)inVain / served).Should().BeLessThan(0.01);
        ((double)inVainInTime / servedInTime).Should().BeLessThan(0.01);
        inTime.Succeeded.Should().BeGreaterThan((long)(0.99 * servedInTime), "what begins has the time that it takes");
        ((double)inVainWithout / servedWithout).Should().BeGreaterThan(0.9, "the queue is longer than any caller waits");
        without.Succeeded.Should().BeLessThan(servedWithout / 10);
    }

    [Fact]
    public async Task Clocks_that_are_an_hour_wrong_change_nothing()
    {
        (SimulationReport right, _, _) = await OverloadedLeafAsync(deadlines: true, TimeSpan.Zero);
        (SimulationReport wrong, _, _) = await OverloadedLeafAsync(deadlines: true, TimeSpan.Zero, number => TimeSpan.FromHours(number % 2 == 0 ? 1 : -1));
        wrong.Fingerprint.Should().Be(right.Fingerprint, "what travels is the time that is left");
    }

    /// <summary>The default ratio, and no retries that are granted whatever the traffic.</summary>
    private static RetryBudget Budget() => new(new() { MinRetriesPerSecond = 0 });

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private static double Amplification(SimulationReport report, int from, int until)
    {
        IReadOnlyList<double> leaf = report.Gauges["leaf"];
        return (leaf[until - 1] - (from == 0 ? 0 : leaf[from - 1])) / report.Timeline.Skip(from).Take(until - from).Sum(i => i.Started);
    }

    private static async Task<(SimulationReport Report, SimulatedDependency Leaf)> DeadLeafAsync(
        bool marks, TimeSpan length, double perSecond, Action<RetryOptions> configure)
    {
        Simulation world = new(1);
        (SimulatedService first, SimulatedDependency leaf) = Chain(world, marks, configure);
        world.AddGauge("leaf", () => leaf.Arrivals);
        world.AddArrivals("user", perSecond, async token => await first.CallAsync(token));
        return (await world.RunAsync(length), leaf);
    }

    /// <summary>Four services, each with four attempts, before a leaf that fails all.</summary>
    private static (SimulatedService First, SimulatedDependency Leaf) Chain(Simulation world, bool marks, Action<RetryOptions> configure)
    {
        Layers layers = new(world, marks, deadlines: false);
        SimulatedDependency leaf = world.AddDependency("leaf", new() { Latency = TimeSpan.FromMilliseconds(1), FailureRate = 1 });
        SimulatedService fourth = layers.Add(4, Set, (_, token) => leaf.CallAsync(token));
        SimulatedService third = layers.Add(3, Set, fourth.CallAsync), second = layers.Add(2, Set, third.CallAsync);
        return (layers.Add(1, Set, second.CallAsync), leaf);

        void Set(RetryOptions options)
        {
            options.MaxRetries = 3;
            configure(options);
        }
    }

    /// <summary>Users wait for a second and call a service that calls another one, which calls the leaf; three times as many as it can serve.</summary>
    private static async Task<(SimulationReport Report, long Served, long Abandoned)> OverloadedLeafAsync(
        bool deadlines, TimeSpan minimumTime, Func<int, TimeSpan>? wrongBy = null)
    {
        const int Places = 20;
        Simulation world = new(1);
        Layers layers = new(world, marks: true, deadlines, wrongBy);
        SimulatedDependency work = world.AddDependency("work", new() { Latency = Service });
        SimulatedService leaf = layers.AddLeaf(Places, work, minimumTime);
        SimulatedService second = layers.Add(2, static o => o.Budget = Budget(), leaf.CallAsync);
        SimulatedService first = layers.Add(1, static o => o.Budget = Budget(), second.CallAsync);
        ResiliencePipeline user = world.Attach(new ResiliencePipelineBuilder { Name = "user" }).AddTimeout(Second).Build();
        world.AddArrivals("user", 3 * Places / Service.TotalSeconds, async token =>
        {
            // What had begun by then may be finished; and deadlines are kept in milliseconds, which may be one too many in each layer.
            TimeSpan until = world.Time.Elapsed + Second + Service + TimeSpan.FromMilliseconds(4);
            await user.ExecuteAsync(async t => await first.CallAsync(new CallInfo { TimeLeft = deadlines ? Second : null, Tag = until }, t), token);
        });
        SimulationReport report = await world.RunAsync(Seconds(Length), patience: Seconds(60));
        return (report, work.Operations, layers.InVain);
    }
}
