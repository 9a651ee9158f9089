using Resilience.Experiments;

namespace Resilience.Tests.Overload;

/// <summary>The table of what other limits do comes out of our world as it came out of the simulators of the design: before the bars say anything of our
/// engine, the world in which they are measured must be right.</summary>
public sealed class PeerTableTests
{
    private static readonly int Seeds = Bounds.Of(3, 20);

    public static TheoryData<string> Rows => [.. Scenarios.Table.Where(r => r.Scenario.Length <= Bounds.Of(900, 3600)).Select(r => r.Name)];

    [Theory]
    [MemberData(nameof(Rows))]
    public void The_world_comes_to_the_figures_of_the_reference(string name)
    {
        Scenario scenario = Scenarios.Table.Single(r => r.Name == name).Scenario;
        foreach ((string limit, Func<EventWorld, Chance, Gate> make) in Limits.All)
        {
            PeerRow expected = Peers.Rows.Single(r => r.Scenario == name && r.Limit == limit);
            RunResult[] runs = [.. Enumerable.Range(1, Seeds).Select(seed => Server.Run(scenario, seed, make))];
            Check("goodput", expected.Goodput, o => o.Goodput(o.Tail, o.Seconds));
            Check("rejected", expected.Rejected, o => 100 * o.RejectedShare(o.Tail, o.Seconds), isShare: true);
            Check("p50", expected.P50, o => o.Handler.Quantile(0.5));
            Check("p99", expected.P99, o => o.Handler.Quantile(0.99));

            void Check(string figure, Figure reference, Func<RunResult, double> of, bool isShare = false) =>
                runs.Average(of).Should().BeApproximately(reference.Mean, reference.Tolerance(Seeds, isShare), "{0} of {1} under {2}", figure, limit, name);
        }
    }

    [Theory]
    [InlineData("gradient2", Course.Drifts, Course.Drifts)]
    [InlineData("vegas", Course.Settles, Course.Settles)]
    [InlineData("aimd", Course.Drifts, Course.Drifts)]
    [InlineData("envoy", Course.Settles, Course.Settles)]
    [InlineData("failsafe", Course.Oscillates, Course.Oscillates)]
    [InlineData(Limits.Ours, Course.Settles, Course.Settles)]
    internal void Limits_drift_settle_or_oscillate(string limit, Course exponential, Course whenFixed)
    {
        Func<EventWorld, Chance, Gate> make = Limits.All.Single(l => l.Name == limit).Make;
        Of(Scenarios.Triple(600)).Should().Be(exponential);
        Of(Scenarios.TripleFixed(600)).Should().Be(whenFixed);

        Course Of(Scenario scenario) => Enumerable.Range(1, Seeds).Select(seed => Server.Run(scenario, seed, make).CourseFor(20))
            .GroupBy(c => c).MaxBy(g => g.Count())!.Key;
    }
}
