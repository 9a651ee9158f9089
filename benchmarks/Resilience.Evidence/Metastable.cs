using Resilience.Testing;

namespace Resilience.Evidence;

/// <summary>A short spike of load on a service with little to spare (Bronson and others, "Metastable Failures in Distributed Systems", HotOS 2021).</summary>
internal static class Metastable
{
    private static readonly TimeSpan SpikeBegins = TimeSpan.FromSeconds(60), SpikeEnds = TimeSpan.FromSeconds(70), End = TimeSpan.FromMinutes(10);

    private static readonly (string Name, Func<ResiliencePipelineBuilder, ResiliencePipelineBuilder> Add)[] Ways =
    [
        ("no retries", b => b.AddTimeout(TimeSpan.FromSeconds(1))),
        ("naive retries", b => b.AddRetry(o => Set(o, RetryBudget.Unlimited)).AddTimeout(TimeSpan.FromSeconds(1))),
        ("retries with budget", b => b.AddRetry(o => Set(o, null)).AddTimeout(TimeSpan.FromSeconds(1))),
        ("budget and breaker",
            b => b.AddRetry(o => Set(o, null)).AddCircuitBreaker(o => { o.FailureRatio = 0.5; o.MinimumCalls = 50; o.RampDuration = TimeSpan.FromSeconds(10); })
            .AddTimeout(TimeSpan.FromSeconds(1))),
    ];

    internal static async Task WriteAsync(string folder)
    {
        const int Seeds = 3;
        List<object[]> rows = [];
        List<(string Name, SimulationReport Report)> first = [];
        foreach ((string name, Func<ResiliencePipelineBuilder, ResiliencePipelineBuilder> add) in Ways)
        {
            List<SimulationReport> reports = [];
            for (int seed = 1; seed <= Seeds; seed++) reports.Add(await LiveAsync(seed, add).ConfigureAwait(false));
            first.Add((name, reports[0]));
            TimeSpan?[] recoveries = [.. reports.Select(Recovery)];
            rows.Add([
                name,
                $"{recoveries.Count(r => r is not null)} of {Seeds}",
                recoveries.All(r => r is null) ? "never" : $"{recoveries.Max()!.Value.TotalSeconds:0} s",
                reports.Average(r => r.SuccessShare(End - TimeSpan.FromMinutes(1), End)) * 100,
                reports.Average(r => r.Timeline.Where(i => i.Start >= End - TimeSpan.FromMinutes(1) && i.Start < End).Sum(i => (double)i.Attempts) / 60),
            ]);
        }

        new Page(folder, "metastable.md", "A spike that naive retries never recover from")
            .Say("A service can do 500 requests a second (50 at once, 100 ms each) and gets 350. For ten seconds, from 60 s on, 700 more come in each second. Callers give up after a "
                + "second, and the service does not notice: it serves abandoned requests in their turn. When the spike is over the load is 350 again, and every call could be served.")
            .Say("With naive retries (three, without a budget) everyone who waits too long comes again up to three times, so 1400 requests a second keep the queue full for ever: the "
                + "trigger is gone, and the failure feeds on itself (Bronson and others, HotOS 2021; Huang and others, OSDI 2022). A budget bounds what retries add to a fifth "
                + "and ten a second, so the load is less than what the service can do and the queue drains, always. A breaker lets it drain at once.")
            .Table(["callers", "seeds that recover within ten minutes", "slowest recovery after the spike", "success in the last minute, %",
                "requests a second in the last minute"], rows)
            .Picture("metastable-goodput.svg", "Calls that succeed in each second", "s", "calls a second",
                first.Select(f => (f.Name, Seconds(f.Report), Series(f.Report, i => i.Succeeded))))
            .Picture("metastable-load.svg", "Requests that reach the service in each second", "s", "requests a second",
                first.Select(f => (f.Name, Seconds(f.Report), Series(f.Report, i => i.Attempts))))
            .Say("Recovered: at least 99 % of the calls succeed in every following second.")
            .Save();
    }

    private static void Set(RetryOptions options, RetryBudget? budget)
    {
        options.MaxRetries = 3;
        options.BaseDelay = TimeSpan.FromMilliseconds(100);
        options.MaxDelay = TimeSpan.FromSeconds(1);
        options.Budget = budget;
    }

    private static Task<SimulationReport> LiveAsync(int seed, Func<ResiliencePipelineBuilder, ResiliencePipelineBuilder> add)
    {
        Simulation world = new(seed);
        SimulatedDependency service = world.AddDependency("service", new() { Latency = TimeSpan.FromMilliseconds(100), Capacity = 50 });
        ResiliencePipeline pipeline = add(world.Attach(new ResiliencePipelineBuilder { Name = "callers" })).Build();
        world.AddArrivals("call", 350, Call).AddArrivals("spike", 700, Call, SpikeBegins, SpikeEnds);
        return world.RunAsync(End);

        ValueTask Call(CancellationToken token) => pipeline.ExecuteAsync(service.CallAsync, token);
    }

    private static TimeSpan? Recovery(SimulationReport report)
    {
        SimulationInterval? lastBad = report.Timeline.LastOrDefault(i => i.Start >= SpikeBegins && i.Start < End
            && i.Succeeded < 0.99 * (i.Succeeded + i.Failed + i.Rejected));
        if (lastBad is null) return TimeSpan.Zero;
        return lastBad.Start >= End - TimeSpan.FromSeconds(10) ? null : lastBad.Start + TimeSpan.FromSeconds(1) - SpikeEnds;
    }

    private static double[] Seconds(SimulationReport report) => Series(report, i => i.Start.TotalSeconds);

    private static double[] Series(SimulationReport report, Func<SimulationInterval, double> value) =>
        [.. report.Timeline.Where(i => i.Start < End).Select(value)];
}
