using Microsoft.Extensions.DependencyInjection;
using Resilience.Testing;

namespace Resilience.StormLab;

/// <summary>Lives through the plan once, with the pipelines of one side.</summary>
public static class Storm
{
    /// <summary>A fleet of clients, each with its pipeline, against one service, in virtual time.</summary>
    public static async Task<StormRun> LiveAsync(StormPlan plan, string side)
    {
        Simulation world = new(plan.Seed);
        SimulatedDependency service = AddService(world, plan);
        await using ServiceProvider services = FleetSettings.Register(plan.Settings, side, plan.Clients, b => world.Attach(b));
        ResiliencePipelineProvider pipelines = services.GetRequiredService<ResiliencePipelineProvider>();
        string described = "";
        for (int i = 1; i <= plan.Clients; i++)
        {
            ResiliencePipeline pipeline = pipelines.GetPipeline(FleetSettings.ClientName(i));
            if (i == 1) described = pipeline.Describe().ToString();
            AddLoad(world, plan, FleetSettings.ClientName(i), token => pipeline.ExecuteAsync(service.CallAsync, token));
        }

        return new(plan, side, await world.RunAsync(plan.Duration), described);
    }

    private static SimulatedDependency AddService(Simulation world, StormPlan plan)
    {
        DependencyBehaviour usual = new() { Latency = plan.Latency, Spread = LatencySpread.Exponential, Capacity = plan.Places, MaxQueued = plan.Queue };
        SimulatedDependency service = world.AddDependency("service", usual);
        foreach (Phase phase in plan.Scenario.Phases)
        {
            // Written before the beginning of a phase that follows at once, which then takes its place.
            service.From(TimeSpan.FromSeconds(phase.From), usual with
            {
                Latency = plan.Latency * phase.Latency,
                FailureRate = phase.Failures,
                Capacity = Math.Max(1, (int)Math.Round(plan.Places * phase.Capacity)),
            });
            service.From(TimeSpan.FromSeconds(phase.Until), usual);
        }

        return service;
    }

    /// <summary>The share of one client in the load, stretch by stretch.</summary>
    private static void AddLoad(Simulation world, StormPlan plan, string client, Func<CancellationToken, ValueTask> call)
    {
        double share = plan.Load / plan.Clients, begun = 0;
        foreach (Phase phase in plan.Scenario.Phases)
        {
            Add(begun, phase.From, share);
            Add(phase.From, phase.Until, share * phase.Load);
            begun = phase.Until;
        }

        Add(begun, plan.Duration.TotalSeconds, share);

        void Add(double from, double until, double perSecond)
        {
            if (until > from && perSecond > 0) world.AddArrivals(client, perSecond, call, TimeSpan.FromSeconds(from), TimeSpan.FromSeconds(until));
        }
    }
}
