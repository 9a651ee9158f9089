using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.StormLab;

/// <summary>One side of an overload, lived through: the report of the simulation, and what can be read from it.</summary>
public sealed class OverloadRun
{
    private OverloadRun(OverloadScenario scenario, OverloadSide side, SimulationReport report) => (Scenario, Side, Report) = (scenario, side, report);

    /// <summary>What happened.</summary>
    public OverloadScenario Scenario { get; }

    /// <summary>How it was met.</summary>
    public OverloadSide Side { get; }

    /// <summary>Everything that the simulation counted.</summary>
    public SimulationReport Report { get; }

    /// <summary>The limit at the end of each second; of many clients the sum.</summary>
    public IReadOnlyList<double> Limits => Report.Gauges["limit"];

    private IEnumerable<SimulationInterval> Trouble => Report.Timeline.Where(i =>
        i.Start >= TimeSpan.FromSeconds(Scenario.Trouble.From + Settling) && i.Start < TimeSpan.FromSeconds(Scenario.Trouble.Until));

    /// <summary>Seconds after the beginning of the trouble that are not counted.</summary>
    internal const double Settling = 15;

    /// <summary>Calls a second that ended well in the trouble, once it was settled.</summary>
    public double Goodput => Trouble.Average(i => i.Succeeded);

    /// <summary>The share of calls that were rejected in it.</summary>
    public double RejectedShare => (double)Trouble.Sum(i => i.Rejected) / Math.Max(1, Trouble.Sum(i => i.Started));

    /// <summary>Requests a second that were served in it although their callers had given up.</summary>
    public double Abandoned => Trouble.Average(i => i.Abandoned);

    /// <summary>How long the calls took that ended well in it.</summary>
    public LatencyHistogram Latencies =>
        Report.LatenciesBetween(TimeSpan.FromSeconds(Scenario.Trouble.From + Settling), TimeSpan.FromSeconds(Scenario.Trouble.Until));

    /// <summary>The share of the calls of a class that ended well in it.</summary>
    public double ServedShare(Criticality criticality)
    {
        long started = Trouble.Sum(i => i.CallsOf(criticality).Started);
        return started == 0 ? 0 : (double)Trouble.Sum(i => i.CallsOf(criticality).Succeeded) / started;
    }

    /// <summary>Lives through a scenario with one side.</summary>
    public static async Task<OverloadRun> LiveAsync(OverloadScenario scenario, OverloadSide side, long seed)
    {
        Simulation world = new(seed);
        DependencyBehaviour usual = new() { Latency = OverloadScenario.Latency, Spread = LatencySpread.Exponential, Capacity = OverloadScenario.Places };
        SimulatedDependency work = world.AddDependency("work", usual)
            .From(TimeSpan.FromSeconds(scenario.Trouble.From), usual with
            {
                Latency = OverloadScenario.Latency * scenario.SlownessInTrouble,
                Capacity = scenario.PlacesInTrouble,
            })
            .From(TimeSpan.FromSeconds(scenario.Trouble.Until), usual);
        int limits = Math.Max(1, scenario.Clients);
        LimitedWork[] gates = [.. Enumerable.Range(0, limits).Select(i => LimitedWork.Of(world, scenario, side, work))];
        world.AddGauge("limit", () => gates.Sum(g => g.Limit));
        for (int i = 0; i < limits; i++) AddLoad(world, scenario, gates[i], i + 1);
        return new(scenario, side, await world.RunAsync(TimeSpan.FromSeconds(scenario.Seconds)).ConfigureAwait(false));
    }

    private static void AddLoad(Simulation world, OverloadScenario scenario, LimitedWork gate, int number)
    {
        string name = Story.Text($"caller-{number}");
        ResiliencePipeline caller = world.Attach(new ResiliencePipelineBuilder { Name = name }).AddTimeout(OverloadScenario.Patience).Build();
        Func<CallInfo, CancellationToken, ValueTask> send = gate.CallAsync;
        if (scenario.Clients == 0)
        {
            // The limit is at the service, which does not notice that a caller has left.
            SimulatedService service = world.AddService("service", new() { Latency = TimeSpan.Zero }, gate.CallAsync);
            send = (call, token) => new(service.CallAsync(call, token));
        }

        foreach (CallLoad load in scenario.Loads()) world.AddArrivals(name, load, (call, token) => caller.ExecuteAsync(t => send(call, t), token));
    }
}
