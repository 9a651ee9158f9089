using Resilience.Experiments;

namespace Resilience.Tests.Overload;

/// <summary>The real engine at one server: every seed reaches every bar. Ten simulated minutes in the ordinary run, an hour and twenty seeds in the deep
/// one.</summary>
public sealed class SingleServiceBarTests
{
    private static readonly int Seeds = Bounds.Of(3, 20);
    private static readonly double Long = Bounds.Of(600, 3600);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Three_times_the_load_for_long(bool isFixed) => Every(seed => Bars.Triple(Limits.Engine, seed, Long, isFixed));

    [Fact]
    public void Under_constant_load_the_limit_goes_nowhere()
    {
        // A slope over ten minutes, of the means of minutes. Twenty hours tell one of 1 %; three times ten minutes tell no less than 10 %.
        int seeds = Seeds, minutes = (int)Long / 60;
        double slope = Enumerable.Range(1, seeds).Average(seed =>
        {
            RunResult run = Server.Run(Scenarios.Triple(Long), seed, Limits.Engine);
            double[] means = [.. Enumerable.Range(1, minutes - 1).Select(m => run.Mean(run.MeanLimits, m * 60, (m + 1) * 60))];
            double middle = (means.Length - 1) / 2.0, mean = means.Average();
            return means.Select((l, m) => (m - middle) * (l - mean)).Sum() / means.Select((_, m) => (m - middle) * (m - middle)).Sum() * 10 / mean;
        });
        Math.Abs(slope).Should().BeLessThan(Bounds.IsDeep ? 0.01 : 0.1);
    }

    [Theory]
    [InlineData(false, 0.1, 0.99)]
    [InlineData(true, 0.1, 0.99)]
    [InlineData(false, 0.2, 0.985)] // decision 0067: the design asks for 0.99 here too, and its own simulator comes to 0.9877
    public void The_highest_class_is_served_and_the_others_in_their_order(bool isFixed, double highest, double least) =>
        Every(seed => Bars.Priorities(Limits.EngineWithQueue, seed, Long, isFixed, [highest, 0.6 - highest, 0.25, 0.15], least));

    [Fact]
    public void Half_of_the_capacity_goes_and_comes_back() => Every(seed => Bars.Halved(Limits.Engine, seed));

    [Fact]
    public void Load_that_was_gone_comes_back_and_ends() => Every(seed => Bars.Quiet(Limits.Engine, seed));

    [Fact]
    public void A_new_normal_latency_is_no_overload() => Every(seed => Bars.NewNormal(Limits.Engine, seed));

    [Fact]
    public void Rare_slow_calls_are_no_overload() => Every(seed => Bars.Bimodal(Limits.Engine, seed));

    [Fact]
    public void Two_calls_a_second_say_too_little_to_change_anything() => Every(seed => Bars.TwoASecond(Limits.Engine, seed));

    [Fact]
    public void At_nine_tenths_of_the_load_hardly_anything_is_rejected() => Every(seed => Bars.NearlyFull(Limits.EngineWithQueue, seed, Long));

    [Fact]
    public void Two_hundred_servers_are_found_within_eight_seconds() => Every(seed => Bars.ManyServers(Limits.Engine, seed));

    [Fact]
    public void A_dependency_that_hangs_is_left_alone_until_it_answers() => Every(seed => Bars.Hanging(Limits.Engine, seed));

    private static void Every(Func<long, string?> bar)
    {
        for (int seed = 1; seed <= Seeds; seed++) bar(seed).Should().BeNull("seed {0}", seed);
    }
}
