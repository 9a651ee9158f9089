using Resilience.Events;
using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.Tests.Overload;

/// <summary>Hedging by a measured quantile in virtual time: the share of hedged calls is as asked, also when everything slows down, and nothing is hedged
/// while a throttle rejects (bar 17).</summary>
public sealed class MeasuredHedgingTests
{
    private const double PerSecond = 200;
    private static readonly TimeSpan Warm = TimeSpan.FromSeconds(90), Slow = TimeSpan.FromSeconds(150), End = TimeSpan.FromSeconds(300);

    public static TheoryData<long> Seeds => [.. Enumerable.Range(1, Bounds.Of(3, 20)).Select(static seed => (long)seed)];

    /// <summary>Hedges by second, and calls by second.</summary>
    private sealed class Run
    {
        public int[] Hedges { get; } = new int[400];

        public int[] Calls { get; } = new int[400];

        public double Share(TimeSpan from, TimeSpan until)
        {
            Range stretch = (int)from.TotalSeconds..(int)until.TotalSeconds;
            return (double)Hedges[stretch].Sum() / Calls[stretch].Sum();
        }
    }

    private static async Task<Run> RunAsync(
        long seed, Func<Simulation, SimulatedDependency> make, Action<HedgingOptions>? hedging = null, Action<ResiliencePipelineBuilder>? inside = null)
    {
        Simulation world = new(seed);
        SimulatedDependency dependency = make(world);
        Run run = new();
        ResiliencePipelineBuilder builder = world.Attach(new ResiliencePipelineBuilder { Name = "reads" })
            .OnEvent(e =>
            {
                if (e is HedgeStarted) run.Hedges[(int)world.Time.Elapsed.TotalSeconds]++;
            })
            .AddHedging(o =>
            {
                o.Delay = TimeSpan.FromSeconds(2);
                o.DelayQuantile = 0.95;
                o.BudgetOptions = new() { Ratio = 0.2, MinRetriesPerSecond = 0 };
                hedging?.Invoke(o);
            });
        inside?.Invoke(builder);
        ResiliencePipeline pipeline = builder.Build();
        world.AddArrivals("read", PerSecond, token =>
        {
            run.Calls[(int)world.Time.Elapsed.TotalSeconds]++;
            return pipeline.ExecuteAsync(dependency.CallAsync, token);
        });
        SimulationReport report = await world.RunAsync(End);
        report.Stuck.Should().Be(0);
        return run;
    }

    private static DependencyBehaviour Takes(double ms, LatencySpread spread = LatencySpread.Exponential, double fails = 0) =>
        new() { Latency = TimeSpan.FromMilliseconds(ms), Spread = spread, FailureRate = fails };

    private static Task<Run> SlowedAsync(long seed, Action<HedgingOptions>? hedging = null) =>
        RunAsync(seed, static world => world.AddDependency("replicas", Takes(50)).From(Slow, Takes(500)), hedging);

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task One_call_in_twenty_is_hedged(long seed)
    {
        foreach (LatencySpread spread in (LatencySpread[])[LatencySpread.Exponential, LatencySpread.Uniform])
        {
            Run run = await RunAsync(seed, world => world.AddDependency("replicas", Takes(50, spread)));
            run.Share(Warm, End).Should().BeInRange(0.035, 0.065, "of {0} latencies", spread);
        }
    }

    /// <summary>Ten times slower, all of them: the first seconds are bounded by the budget, then the delay has followed.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task When_everything_is_ten_times_slower_the_hedges_stay_bounded_and_come_back_to_one_in_twenty(long seed)
    {
        Run run = await SlowedAsync(seed);
        run.Share(Warm, Slow).Should().BeInRange(0.035, 0.065);
        run.Share(Slow, Slow + TimeSpan.FromSeconds(60)).Should().BeLessThanOrEqualTo(0.2);
        run.Share(Slow + TimeSpan.FromSeconds(60), End).Should().BeInRange(0.035, 0.065);
    }

    /// <summary>What goes wrong without the rules: a delay that is not measured hedges all that it can for good.</summary>
    [Fact]
    public async Task A_fixed_delay_fails_that_bar()
    {
        Run run = await SlowedAsync(1, static o => (o.DelayQuantile, o.Delay) = (null, TimeSpan.FromMilliseconds(150)));
        run.Share(Slow + TimeSpan.FromSeconds(60), End).Should().BeGreaterThan(0.15);
    }

    /// <summary>Fast failures are no fast answers: the delay stays that of the answers.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Nothing_is_hedged_while_a_throttle_rejects(long seed)
    {
        AdaptiveThrottle? throttle = null;
        int[] rejecting = new int[400];
        Run run = await RunAsync(
            seed,
            world =>
            {
                for (int second = 0; second < (int)End.TotalSeconds; second++)
                {
                    int at = second;
                    world.At(TimeSpan.FromSeconds(at), () => rejecting[at] = throttle!.ShareRejected() > 0 ? 1 : 0);
                }

                return world.AddDependency("replicas", Takes(50)).From(Slow, Takes(50, LatencySpread.Exponential, fails: 0.9));
            },
            null,
            builder =>
            {
                AdaptiveThrottleOptions options = new() { Name = "throttle", Counts = ThrottleCounts.AllFailures };
                throttle = new(options, builder.TimeProvider, builder.Randomness);
                builder.AddAdaptiveThrottle(throttle);
            });
        int[] whole = [.. Enumerable.Range(0, 299).Where(second => rejecting[second] == 1 && rejecting[second + 1] == 1)];
        whole.Length.Should().BeGreaterThan(60);
        whole.Sum(second => run.Hedges[second]).Should().Be(0);
        run.Share(Warm, Slow).Should().BeInRange(0.035, 0.065);
    }
}
