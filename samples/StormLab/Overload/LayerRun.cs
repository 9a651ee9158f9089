using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.StormLab;

/// <summary>One side of a chain of services, lived through.</summary>
public sealed class LayerRun
{
    private LayerRun(LayerScenario scenario, int side, SimulationReport report) => (Scenario, Side, Report) = (scenario, LayerScenario.Sides[side], report);

    /// <summary>What happened.</summary>
    public LayerScenario Scenario { get; }

    /// <summary>How it was met.</summary>
    public string Side { get; }

    /// <summary>Everything that the simulation counted.</summary>
    public SimulationReport Report { get; }

    /// <summary>Requests that reached the dependency, second by second.</summary>
    public IReadOnlyList<double> Requests => [.. Report.Gauges["requests"].Select((sum, i) => sum - (i == 0 ? 0 : Report.Gauges["requests"][i - 1]))];

    /// <summary>Requests for each call of a user, while the dependency failed.</summary>
    public double Amplification
    {
        get
        {
            (int from, int until) = ((int)LayerScenario.Trouble.From, (int)LayerScenario.Trouble.Until);
            return Requests.Skip(from).Take(until - from).Sum() / Report.Timeline.Skip(from).Take(until - from).Sum(i => i.Started);
        }
    }

    /// <summary>Lives through a scenario with one side.</summary>
    /// <param name="scenario">What happens.</param>
    /// <param name="side">0: no budget; 1: budgets; 2: budgets and the mark.</param>
    /// <param name="seed">What chance follows from.</param>
    public static async Task<LayerRun> LiveAsync(LayerScenario scenario, int side, long seed)
    {
        Simulation world = new(seed);
        SimulatedDependency dead = world.AddDependency("dependency", new() { Latency = TimeSpan.FromMilliseconds(2) })
            .From(TimeSpan.FromSeconds(LayerScenario.Trouble.From), new() { Latency = TimeSpan.FromMilliseconds(2), FailureRate = 1 })
            .From(TimeSpan.FromSeconds(LayerScenario.Trouble.Until), new() { Latency = TimeSpan.FromMilliseconds(2) });
        Func<CancellationToken, Task> next = dead.CallAsync;
        for (int i = scenario.Services; i >= 1; i--) next = Add(world, i, side, next).CallAsync;
        world.AddGauge("requests", () => dead.Arrivals);
        world.AddArrivals("user", scenario.PerSecond, async token =>
        {
            for (int attempt = 0; attempt < scenario.RetriesOnTop; attempt++)
            {
                if (await TryAsync(next, token).ConfigureAwait(false)) return;
            }

            await next(token).ConfigureAwait(false);
        });
        return new(scenario, side, await world.RunAsync(TimeSpan.FromSeconds(LayerScenario.Seconds)).ConfigureAwait(false));
    }

    private static async Task<bool> TryAsync(Func<CancellationToken, Task> call, CancellationToken cancellationToken)
    {
        try
        {
            await call(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception error) when (error is HttpRequestException or ResilienceException or DoNotRetryException)
        {
            return false;
        }
    }

    private static SimulatedService Add(Simulation world, int number, int side, Func<CancellationToken, Task> next)
    {
        bool marks = side == 2;
        ResiliencePipeline pipeline = world.Attach(new ResiliencePipelineBuilder { Name = Story.Text($"service-{number}") }).AddRetry(o =>
        {
            (o.MaxRetries, o.BaseDelay) = (3, TimeSpan.FromMilliseconds(5));
            o.Budget = side == 0 ? RetryBudget.Unlimited : new(new() { MinRetriesPerSecond = 0 }, world.Time);
            if (marks) o.ShouldRetry = static attempt => attempt.Exception is not DoNotRetryException;
        }).Build();
        return world.AddService(Story.Text($"service-{number}"), new() { Latency = TimeSpan.FromMilliseconds(1) }, async (_, token) =>
        {
            using RequestScope request = RequestContext.Begin(new() { TimeProvider = world.Time, IsIndependent = true });
            try
            {
                await pipeline.ExecuteAsync(next, token).ConfigureAwait(false);
            }
            catch (Exception error) when (marks && (error is DoNotRetryException || RequestContext.Current!.HasGivenUpOn(error)))
            {
                throw new DoNotRetryException(error); // what an HTTP service says by X-Should-Retry: false
            }
        });
    }

    /// <summary>Who asked shall not ask again.</summary>
    private sealed class DoNotRetryException(Exception cause) : Exception("It failed, and was tried as often as it may be.", cause);
}
