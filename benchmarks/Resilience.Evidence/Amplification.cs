using Resilience.Testing;

namespace Resilience.Evidence;

/// <summary>Five services in a row, each of which retries: what reaches the last one while it fails.</summary>
internal static class Amplification
{
    private const int Layers = 5;

    internal static async Task WriteAsync(string folder)
    {
        double[] rates = [0, 0.1, 0.25, 0.5, 0.75, 1];
        List<(double Without, double With, double WithOnly)> results = [];
        foreach (double rate in rates)
        {
            results.Add((
                await MeasureAsync(rate, perSecond: 5, _ => RetryBudget.Unlimited, Layers).ConfigureAwait(false),
                await MeasureAsync(rate, perSecond: 500, Budget, Layers).ConfigureAwait(false),
                await MeasureAsync(rate, perSecond: 500, Budget, 1).ConfigureAwait(false)));
        }

        new Page(folder, "amplification.md", "Retries through five layers")
            .Say("A calls B calls C calls D calls E calls a database that fails; each of the five tries up to four times (three retries). Without a bound that is up to 4⁵ = 1024 requests "
                + "for one call (the figure of the Google SRE book's chapter on cascading failures and of Amazon's builders' library for layered retries). With our default budget in each layer "
                + "(a fifth of the calls, and ten a second) each layer adds about a fifth: 1.2⁵ = 2.5, and the ten a second on top; so keep retries to one layer, or mark what must not be "
                + "repeated. Measured for a minute, after the budgets' initial balance of 100 was spent; 5 calls a second without budgets, 500 with.")
            .Table(["share of failures", "no budget: requests a call", "budget in each layer", "one layer retries, with budget"],
                rates.Select((r, i) => new object[] { r, results[i].Without, results[i].With, results[i].WithOnly }))
            .Picture("amplification.svg", "Requests at the bottom for each call at the top", "share of failures", "requests a call (logarithmic)",
                [("no budget", rates, [.. results.Select(r => r.Without)]), ("budget in each layer", rates, [.. results.Select(r => r.With)]),
                    ("one layer, with budget", rates, [.. results.Select(r => r.WithOnly)])],
                isLogarithmic: true)
            .Save();

        static RetryBudget Budget(TimeProvider time) => new(new RetryBudgetOptions(), time);
    }

    private static async Task<double> MeasureAsync(double failureRate, double perSecond, Func<TimeProvider, RetryBudget> budget, int retrying)
    {
        Simulation world = new(1) { Interval = TimeSpan.FromSeconds(1) };
        SimulatedDependency database = world.AddDependency("database", new() { FailureRate = failureRate });
        Func<CancellationToken, ValueTask> call = token => new(database.CallAsync(token));
        for (int layer = 0; layer < retrying; layer++)
        {
            Func<CancellationToken, ValueTask> below = call;
            ResiliencePipeline pipeline = world.Attach(new ResiliencePipelineBuilder { Name = $"layer {layer}" })
                .AddRetry(o => { o.Budget = budget(world.Time); o.BaseDelay = TimeSpan.FromMilliseconds(20); o.MaxDelay = TimeSpan.FromMilliseconds(200); })
                    .Build();
            call = async token =>
            {
                try
                {
                    await pipeline.ExecuteAsync(below, token).ConfigureAwait(false);
                }
                catch (HttpRequestException error)
                {
                    throw new HttpRequestException("The layer below failed.", error); // as over a network: nothing of our marks survives
                }
            };
        }

        TimeSpan begin = TimeSpan.FromSeconds(60), end = TimeSpan.FromSeconds(120);
        world.AddArrivals("call", perSecond, call);
        SimulationReport report = await world.RunAsync(end).ConfigureAwait(false);
        SimulationInterval[] measured = [.. report.Timeline.Where(i => i.Start >= begin && i.Start < end)];
        return (double)measured.Sum(i => i.Attempts) / measured.Sum(i => i.Started);
    }
}
