using Resilience.Overload;
using Resilience.StormLab;

namespace Resilience.Tests.Samples;

/// <summary>The overloads of the storm lab: what the lab claims of its three sides is true of the runs.</summary>
public sealed class OverloadStormTests
{
    [Fact]
    public async Task Without_a_limit_nothing_is_served_in_time_and_with_one_that_adapts_nearly_all_that_can_be()
    {
        OverloadRun[] halved = await LiveAsync("halved");
        halved[0].Goodput.Should().BeLessThan(1, "all wait longer than their callers");
        halved[0].Abandoned.Should().BeGreaterThan(0.9 * halved[0].Scenario.Capacity);
        halved[2].Goodput.Should().BeGreaterThan(0.95 * halved[2].Scenario.Capacity);
        halved[2].Latencies.Quantile(0.5).Should().BeLessThan(
            0.6 * halved[1].Latencies.Quantile(0.5), "a static limit of the ordinary day is twice too large now");
        halved[2].Limits.Skip(90).Take(200).Average().Should().BeInRange(5, 15);
        string[] told = [.. OverloadReport.Tell(halved)];
        told.Should().Contain(line => line.Contains("no limit") && line.Contains("adaptive")).And.Contain(line => line.StartsWith("goodput"));
    }

    [Fact]
    public async Task A_static_limit_rejects_a_new_normal_and_one_that_adapts_does_not()
    {
        OverloadRun[] normal = await LiveAsync("new-normal");
        normal[1].RejectedShare.Should().BeGreaterThan(0.05);
        normal[2].RejectedShare.Should().BeLessThan(0.001);
        normal[2].Goodput.Should().BeApproximately(normal[0].Goodput, 1);
    }

    [Fact]
    public async Task Only_the_limit_with_classes_serves_what_matters_most()
    {
        OverloadRun[] storm = await LiveAsync("priority-storm");
        storm[1].ServedShare(Criticality.CriticalPlus).Should().BeLessThan(0.3, "it does not know what matters");
        storm[2].ServedShare(Criticality.CriticalPlus).Should().BeGreaterThan(0.9);
        storm[2].ServedShare(Criticality.Sheddable).Should().BeLessThan(0.1);
    }

    [Fact]
    public async Task Clients_that_adapt_keep_a_service_alive_that_has_no_limit()
    {
        OverloadRun[] clients = await LiveAsync("many-clients");
        clients[0].Goodput.Should().BeLessThan(2);
        clients[1].Goodput.Should().BeLessThan(2, "twenty small limits are a large one");
        clients[2].Goodput.Should().BeGreaterThan(0.95 * clients[2].Scenario.Capacity);
    }

    [Fact]
    public async Task Pictures_are_drawn_of_all_sides_and_the_same_seed_draws_the_same()
    {
        string folder = Directory.CreateTempSubdirectory("overload").FullName;
        try
        {
            OverloadRun[] runs = await LiveAsync("new-normal");
            IReadOnlyList<string> files = OverloadReport.Write(folder, runs);
            files.Should().Equal("new-normal-goodput.svg", "new-normal-latency.svg", "new-normal-limit.svg");
            string[] first = [.. files.Select(f => File.ReadAllText(Path.Combine(folder, f)))];
            first.Should().AllSatisfy(svg => svg.Should().Contain("static limit").And.Contain("adaptive"));
            OverloadReport.Write(folder, await LiveAsync("new-normal"));
            files.Select(f => File.ReadAllText(Path.Combine(folder, f))).Should().Equal(first);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Budgets_and_the_mark_keep_a_dead_dependency_from_what_layers_of_retries_make()
    {
        LayerScenario scenario = LayerScenario.Known.Single(s => s.Name == "four-layers");
        List<LayerRun> runs = [];
        for (int side = 0; side < LayerScenario.Sides.Count; side++) runs.Add(await LayerRun.LiveAsync(scenario, side, seed: 1));
        runs[0].Amplification.Should().BeGreaterThan(200);
        runs[1].Amplification.Should().BeLessThan(3);
        runs[2].Amplification.Should().BeLessThan(1.4);
        LayerReport.Tell(runs).Should().Contain(line => line.StartsWith("requests for each call"));
    }

    private static async Task<OverloadRun[]> LiveAsync(string name)
    {
        OverloadScenario scenario = OverloadScenario.Known.Single(s => s.Name == name);
        List<OverloadRun> runs = [];
        foreach (OverloadSide side in Enum.GetValues<OverloadSide>()) runs.Add(await OverloadRun.LiveAsync(scenario, side, seed: 1));
        return [.. runs];
    }
}
