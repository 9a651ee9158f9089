using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.Tests.Simulations;

/// <summary>Services that call services, and what a dependency does with many requests at once: each claim of the simulation kit by a small queue whose
/// result is known.</summary>
public sealed class SimulatedServiceTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task A_service_calls_another_in_its_place_and_the_caller_waits_for_both()
    {
        Simulation world = new(1);
        SimulatedDependency database = world.AddDependency("database", new() { Latency = Second * 2 });
        List<CallInfo> seen = [];
        SimulatedService shop = world.AddService("shop", new() { Latency = Second, Capacity = 1 }, async (call, token) =>
        {
            seen.Add(call);
            await database.CallAsync(call, token);
        });
        List<double> ends = [];
        for (int i = 0; i < 2; i++) world.At(TimeSpan.FromMilliseconds(i), () => _ = CallAsync());
        await world.RunAsync(Minute);
        ends.Should().Equal(3, 6);
        seen.Should().AllSatisfy(c => c.Criticality.Should().Be(Criticality.Sheddable)).And.HaveCount(2);
        seen.Select(c => c.ArrivedAt.TotalMilliseconds).Should().Equal(0, 1);
        shop.Total.Should().Be(shop.CountsOf(Criticality.Sheddable)).And.Be(new RequestCounts(2, 2, 0, 0, 0));
        database.CountsOf(Criticality.Sheddable).Operations.Should().Be(2, "the class goes along with the call");
        database.CountsOf(Criticality.Critical).Arrivals.Should().Be(0);

        async Task CallAsync()
        {
            await shop.CallAsync(new CallInfo { Criticality = Criticality.Sheddable });
            ends.Add(Math.Round(world.Time.Elapsed.TotalSeconds, 1));
        }
    }

    [Fact]
    public async Task What_a_handler_throws_fails_the_request_and_frees_the_place()
    {
        Simulation world = new(2);
        SimulatedService shop = world.AddService("shop", new() { Capacity = 1 }, (_, _) => throw new TimeoutException());
        world.AddArrivals("buy", 10, async token => await shop.CallAsync(token));
        SimulationReport report = await world.RunAsync(Minute);
        report.Outcomes.Should().ContainSingle().Which.Key.Should().Be(nameof(TimeoutException));
        shop.Replicas[0].Serving.Should().Be(0);
        report.Stuck.Should().Be(0);
    }

    [Fact]
    public async Task Replicas_are_asked_in_turn_and_one_of_them_may_be_bad()
    {
        Simulation world = new(3);
        SimulatedService shop = world.AddService("shop", new(), (_, _) => default, replicas: 4);
        shop.Replicas[2].From(Second, new() { FailureRate = 1 });
        world.AddArrivals("buy", 100, async token => await shop.CallAsync(token));
        SimulationReport report = await world.RunAsync(Minute);
        shop.Replicas.Select(r => r.Name).Should().Equal("shop 1", "shop 2", "shop 3", "shop 4");
        shop.Replicas.Max(r => r.Arrivals).Should().BeLessThanOrEqualTo(shop.Replicas.Min(r => r.Arrivals) + 1);
        report.SuccessShare(Second * 2, Minute).Should().BeApproximately(0.75, 0.001);
        Func<Task> elsewhere = () => shop.CallAsync(4, new CallInfo());
        await elsewhere.Should().ThrowAsync<ArgumentOutOfRangeException>();
    }

    [Theory]
    [InlineData(false, 2, 0)]
    [InlineData(true, 0, 2)]
    public async Task A_place_is_freed_when_its_caller_gives_up_only_where_cancellation_is_honored(bool honors, int abandoned, int cancelled)
    {
        Simulation world = new(4);
        SimulatedDependency shop = world.AddDependency("shop", new() { Latency = Second * 10, Capacity = 1, HonorsCancellation = honors });
        List<string> outcomes = [];
        for (int i = 0; i < 3; i++)
        {
            int call = i;
            world.At(TimeSpan.FromMilliseconds(i), () => _ = CallAsync(call, patience: call == 2 ? Minute : Second));
        }

        await world.RunAsync(Minute);
        outcomes.Should().Equal("0 left at 1", "1 left at 1", honors ? "2 served at 11" : "2 served at 30");
        shop.Total.Should().Be(new RequestCounts(3, honors ? 1 : 3, 0, cancelled, abandoned));
        (shop.Serving, shop.Waiting).Should().Be((0, 0));

        async Task CallAsync(int call, TimeSpan patience)
        {
            using CancellationTokenSource limit = new(patience, world.Time);
            string outcome = "served";
            try
            {
                await shop.CallAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                outcome = "left";
            }

            outcomes.Add(FormattableString.Invariant($"{call} {outcome} at {Math.Round(world.Time.Elapsed.TotalSeconds, 1)}"));
        }
    }

    [Fact]
    public async Task A_cancelled_call_reaches_the_services_below_and_frees_all_their_places()
    {
        Simulation world = new(5);
        DependencyBehaviour honoring = new() { Latency = Second * 10, Capacity = 1, HonorsCancellation = true };
        SimulatedDependency leaf = world.AddDependency("leaf", honoring);
        SimulatedService middle = world.AddService(
            "middle", honoring with { Latency = TimeSpan.Zero }, async (call, token) => await leaf.CallAsync(call, token));
        using CancellationTokenSource limit = new(Second, world.Time);
        world.At(TimeSpan.Zero, () => _ = middle.CallAsync(limit.Token));
        int serving = -1;
        world.At(Second * 2, () => serving = leaf.Serving + middle.Replicas[0].Serving);
        world.At(TimeSpan.FromSeconds(0.5), () => leaf.Serving.Should().Be(1));
        await world.RunAsync(Minute);
        serving.Should().Be(0);
        (leaf.Total.Cancelled, middle.Total.Cancelled).Should().Be((1, 1));
        (leaf.Operations, leaf.Abandoned).Should().Be((0, 0));
    }

    [Fact]
    public async Task Work_counts_as_abandoned_after_the_allowance()
    {
        Simulation world = new(6);
        SimulatedDependency shop = world.AddDependency("shop", new() { Latency = Second * 3, AbandonedAfter = Second * 2 });
        foreach (double patience in new[] { 0.5, 1.5 })
        {
            world.At(TimeSpan.Zero, () =>
            {
                CancellationTokenSource limit = new(TimeSpan.FromSeconds(patience), world.Time);
                _ = shop.CallAsync(limit.Token);
            });
        }

        await world.RunAsync(Minute);
        shop.Abandoned.Should().Be(1, "one caller left 2.5 s before the end, the other 1.5 s");
    }

    [Fact]
    public async Task Requests_share_a_processor()
    {
        Simulation world = new(7);
        DependencyBehaviour shared = new() { Latency = Second * 2, Capacity = 1, Discipline = ServingDiscipline.SharedProcessor };
        SimulatedDependency processor = world.AddDependency("processor", shared).From(Second * 10, shared with { Capacity = 2 });
        List<double> ends = [];
        Call(0);
        Call(1); // the first has 1 s of its work left: both at half speed until 3 s, then the second has 1 s left, alone until 4 s
        Call(10);
        Call(10); // two processors: as if alone
        await world.RunAsync(Minute);
        ends.Should().Equal(3, 4, 12, 12);

        void Call(double at) => world.At(TimeSpan.FromSeconds(at), () => _ = CallAsync());

        async Task CallAsync()
        {
            await processor.CallAsync();
            ends.Add(Math.Round(world.Time.Elapsed.TotalSeconds, 3));
        }
    }

    [Fact]
    public async Task A_shared_processor_serves_as_queueing_theory_says()
    {
        // M/M/1 with sharing: the mean time is s / (1 - load), whatever the spread of the work.
        foreach (LatencySpread spread in new[] { LatencySpread.Exponential, LatencySpread.Bimodal })
        {
            Simulation world = new(8) { Interval = Minute };
            SimulatedDependency processor = world.AddDependency("processor", new()
            {
                Latency = TimeSpan.FromMilliseconds(spread == LatencySpread.Bimodal ? 5 : 10),
                SlowShare = 0.05,
                SlowLatency = TimeSpan.FromMilliseconds(105), // with 5 ms for the others: 10 ms in the mean
                Spread = spread,
                Capacity = 1,
                Discipline = ServingDiscipline.SharedProcessor,
            });
            double sum = 0;
            world.AddArrivals("call", 50, async token =>
            {
                TimeSpan start = world.Time.Elapsed;
                await processor.CallAsync(token);
                sum += (world.Time.Elapsed - start).TotalMilliseconds;
            });
            SimulationReport report = await world.RunAsync(TimeSpan.FromHours(1));
            (sum / report.Succeeded).Should().BeApproximately(20, 1, "{0}", spread);
        }
    }

    [Fact]
    public async Task Latency_depends_on_how_many_are_served()
    {
        Simulation world = new(9);
        SimulatedDependency shop = world.AddDependency("shop", new() { Latency = Second, SlowdownPerRequest = 0.5 });
        List<double> ends = [];
        for (int i = 0; i < 3; i++) world.At(TimeSpan.FromMilliseconds(i), () => _ = CallAsync());
        await world.RunAsync(Minute);
        ends.Should().Equal(1, 1.5, 2);

        async Task CallAsync()
        {
            await shop.CallAsync();
            ends.Add(Math.Round(world.Time.Elapsed.TotalSeconds, 1));
        }
    }

    [Fact]
    public async Task Even_arrivals_are_evenly_apart_and_classes_come_in_their_shares_and_are_counted_apart()
    {
        Simulation world = new(10);
        SimulatedDependency shop = world.AddDependency("shop");
        List<TimeSpan> starts = [];
        CallLoad load = new()
        {
            PerSecond = 30,
            Spacing = ArrivalSpacing.Even,
            Classes = new Dictionary<Criticality, double> { [Criticality.CriticalPlus] = 0.1, [Criticality.Critical] = 0.65, [Criticality.Sheddable] = 0.25 },
        };
        world.AddArrivals("buy", load, async (call, token) =>
        {
            starts.Add(world.Time.Elapsed);
            if (call.Criticality == Criticality.Sheddable) throw new TimeoutException();
            await shop.CallAsync(call, token);
        });
        SimulationReport report = await world.RunAsync(TimeSpan.FromMinutes(10));
        starts.Should().HaveCountGreaterThanOrEqualTo(17_999).And.HaveCountLessThanOrEqualTo(18_000);
        starts.Zip(starts.Skip(1), (a, b) => (b - a).TotalMilliseconds).Should().AllSatisfy(gap => gap.Should().BeApproximately(1000 / 30.0, 0.001));
        CallCounts highest = report.CallsOf(Criticality.CriticalPlus), lowest = report.CallsOf(Criticality.Sheddable);
        ((double)highest.Started / report.Started).Should().BeApproximately(0.1, 0.01);
        (highest.SuccessShare, lowest.SuccessShare).Should().Be((1, 0));
        highest.Latencies.Max.TotalMilliseconds.Should().Be(10);
        lowest.Failed.Should().Be(report.Failed);
        report.CallsOf(Criticality.SheddablePlus).Started.Should().Be(0);
        report.Timeline.Sum(i => i.CallsOf(Criticality.CriticalPlus).Succeeded).Should().Be(shop.CountsOf(Criticality.CriticalPlus).Operations);
    }

    [Fact]
    public async Task Gauges_are_read_at_the_end_of_each_interval()
    {
        Simulation world = new(11);
        double value = 0;
        world.At(Second * 2.5, () => value = 7).AddGauge("value", () => value);
        SimulationReport report = await world.RunAsync(Second * 5);
        report.Gauges["value"].Should().Equal(0, 0, 7, 7, 7);
        ((Action)(() => new Simulation(1).AddGauge("twice", () => 0).AddGauge("twice", () => 0))).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void What_is_out_of_range_is_said_by_name()
    {
        foreach ((DependencyBehaviour wrong, string name) in new (DependencyBehaviour, string)[]
        {
            (new() { SlowShare = 1.1 }, nameof(DependencyBehaviour.SlowShare)), (new() { SlowLatency = -Second }, nameof(DependencyBehaviour.SlowLatency)),
            (new() { SlowdownPerRequest = -1 }, nameof(DependencyBehaviour.SlowdownPerRequest)), (new() { AbandonedAfter = -Second }, "AbandonedAfter"),
            (new() { Spread = (LatencySpread)9 }, nameof(DependencyBehaviour.Spread)), (new() { Discipline = (ServingDiscipline)9 }, "Discipline"),
        })
        {
            ((Action)(() => new Simulation(1).AddDependency("shop", wrong))).Should().Throw<ArgumentOutOfRangeException>().WithParameterName(name);
        }

        foreach ((CallLoad wrong, string name) in new (CallLoad, string)[]
        {
            (new() { PerSecond = 0 }, nameof(CallLoad.PerSecond)), (new() { PerSecond = 1, From = -Second }, nameof(CallLoad.From)),
            (new() { PerSecond = 1, Spacing = (ArrivalSpacing)5 }, nameof(CallLoad.Spacing)),
            (new() { PerSecond = 1, Classes = new Dictionary<Criticality, double> { [Criticality.Critical] = 0.5 } }, nameof(CallLoad.Classes)),
            (new() { PerSecond = 1, Classes = new Dictionary<Criticality, double> { [(Criticality)7] = 1 } }, nameof(CallLoad.Classes)),
        })
        {
            ((Action)(() => new Simulation(1).AddArrivals("load", wrong, (_, _) => default)))
                .Should().Throw<ArgumentOutOfRangeException>().WithParameterName(name);
        }
    }
}
