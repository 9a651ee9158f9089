// A day of a shop in virtual time: its payment service fails for ten minutes at noon and is slow for an hour in the afternoon.
// The same day with the pipeline that we mean to ship, and with one written in a hurry.
using Resilience;
using Resilience.Testing;

TimeSpan hour = TimeSpan.FromHours(1);

SimulationReport hurried = await LiveADayAsync(builder => builder
    .AddRetry(o => { o.MaxRetries = 5; o.BaseDelay = o.MaxDelay = TimeSpan.FromMilliseconds(100); o.Budget = RetryBudget.Unlimited; })
    .AddTimeout(TimeSpan.FromSeconds(3)));
Tell("In a hurry: five retries, a tenth of a second apart, no budget, no breaker", hurried);

SimulationReport considered = await LiveADayAsync(builder => builder
    .AddTimeout(TimeSpan.FromSeconds(10))
    .AddRetry()
    .AddCircuitBreaker(o => { o.FailureRatio = 0.5; o.MinimumCalls = 20; })
    .AddTimeout(TimeSpan.FromSeconds(3)));
Tell("Considered: a deadline, retries with jitter and a budget, a breaker", considered);

Console.WriteLine($"During the outage the service had to bear {Load(hurried):0.0} requests for each call, against {Load(considered):0.0}.");
return 0;

async Task<SimulationReport> LiveADayAsync(Func<ResiliencePipelineBuilder, ResiliencePipelineBuilder> policies)
{
    Simulation world = new(seed: 2026) { Interval = TimeSpan.FromMinutes(1) };
    DependencyBehaviour healthy = new() { Latency = TimeSpan.FromMilliseconds(40), Spread = LatencySpread.Exponential };
    SimulatedDependency payments = world.AddDependency("payments", healthy)
        .From(12 * hour, new() { FailureRate = 1 })
        .From(12 * hour + TimeSpan.FromMinutes(10), healthy)
        .From(15 * hour, healthy with { Latency = TimeSpan.FromSeconds(1), LostReplyRate = 0.02 })
        .From(16 * hour, healthy);
    ResiliencePipeline pipeline = policies(world.Attach(new ResiliencePipelineBuilder { Name = "payments" })).Build();
    world.AddArrivals("order", perSecond: 2, token => pipeline.ExecuteAsync(payments.CallAsync, token));
    return await world.RunAsync(24 * hour);
}

void Tell(string title, SimulationReport report)
{
    Console.WriteLine(title);
    Console.WriteLine(report);
}

double Load(SimulationReport report)
{
    SimulationInterval[] outage = [.. report.Timeline.Where(i => i.Start >= 12 * hour && i.Start < 12 * hour + TimeSpan.FromMinutes(10))];
    return (double)outage.Sum(i => i.Attempts) / outage.Sum(i => i.Started);
}
