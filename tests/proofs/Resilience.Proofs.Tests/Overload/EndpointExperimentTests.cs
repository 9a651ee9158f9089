using Resilience.Events;
using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.Tests.Overload;

/// <summary>Ten replicas of which some fail or are slow, in virtual time, with the real engine (bars 15 and 16), and what goes wrong without its
/// rules.</summary>
public sealed class EndpointExperimentTests
{
    private const int Replicas = 10;
    private const double PerSecond = 200;

    public static TheoryData<long> Seeds => [.. Enumerable.Range(1, Bounds.Of(3, 20)).Select(static seed => (long)seed)];

    private static readonly DependencyBehaviour Well = new() { Latency = TimeSpan.FromMilliseconds(10), Spread = LatencySpread.Exponential };
    private static readonly DependencyBehaviour Dead = new() { Latency = TimeSpan.FromMilliseconds(1), FailureRate = 1 };
    private static readonly DependencyBehaviour Slow = new() { Latency = TimeSpan.FromMilliseconds(200), Spread = LatencySpread.Exponential };

    private sealed record Run(
        SimulationReport Report, EndpointSet Set, int MaxOut, int HighestLevel, double PanicSeconds,
        List<(double At, EndpointEjected Event)> Ejections);

    private static async Task<Run> RunAsync(
        long seed, double seconds, Action<SimulatedDependency[]> script, EndpointTerms? terms = null, Action<EndpointSetOptions>? change = null,
        int retries = 1)
    {
        Simulation world = new(seed);
        SimulatedDependency[] replicas = [.. Enumerable.Range(0, Replicas).Select(i => world.AddDependency($"replica {i}", Well))];
        script(replicas);
        EndpointSetOptions options = new();
        for (int i = 0; i < Replicas; i++) options.Addresses.Add(new($"http://10.0.0.{i}"));
        change?.Invoke(options);
        List<(double, EndpointEjected)> ejections = [];
        EndpointSet set = new(options, PolicyEnvironment.Standalone("endpoints", world.Time, world.Randomness, e =>
        {
            if (e is EndpointEjected ejected) ejections.Add((world.Time.Elapsed.TotalSeconds, ejected));
        }), terms, "experiment");
        int maxOut = 0, highest = 0, panic = 0;
        for (int tenth = 1; tenth < seconds * 10; tenth++)
        {
            world.At(TimeSpan.FromSeconds(tenth / 10.0), () =>
            {
                maxOut = Math.Max(maxOut, set.Ejected);
                if (set.IsPanic) panic++;
                highest = Math.Max(highest, set.Endpoints.Max(e => e.Health.Level));
            });
        }

        ResiliencePipelineBuilder builder = world.Attach(new ResiliencePipelineBuilder { Name = "calls" });
        if (retries > 0) builder.AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Budget) = (retries, TimeSpan.Zero, RetryBudget.Unlimited));
        ResiliencePipeline pipeline = builder.AddEndpoints(set).Build();
        world.AddArrivals("call", PerSecond, async token => await pipeline.ExecuteAsync(
            default,
            static async (context, all) =>
            {
                context.TryGet(EndpointSet.Chosen, out TargetEndpoint? chosen);
                await all[chosen!.Address.Host[^1] - '0'].CallAsync(context.CancellationToken).ConfigureAwait(false);
            },
            replicas,
            token).ConfigureAwait(false));
        SimulationReport report = await world.RunAsync(TimeSpan.FromSeconds(seconds));
        report.Stuck.Should().Be(0);
        return new(report, set, maxOut, highest, panic / 10.0, ejections);
    }

    private static Task<Run> OneDeadOneSlowAsync(long seed, EndpointTerms? terms = null, Action<EndpointSetOptions>? change = null) => RunAsync(
        seed,
        120,
        static replicas =>
        {
            replicas[3].From(TimeSpan.Zero, Dead);
            replicas[7].From(TimeSpan.Zero, Slow);
        },
        terms,
        change);

    /// <summary>Bar 15. 46 ms is the 99th percentile of ten well replicas.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task One_dead_and_one_slow_of_ten_hardly_show(long seed)
    {
        Run run = await OneDeadOneSlowAsync(seed);
        (1 - run.Report.SuccessShare(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(120))).Should().BeLessThan(0.001);
        run.Report.Amplification.Should().BeLessThanOrEqualTo(1.05);
        run.Report.LatenciesBetween(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(120)).Quantile(0.99).TotalMilliseconds.Should().BeLessThanOrEqualTo(2 * 46);
        run.MaxOut.Should().BeLessThanOrEqualTo(3);
    }

    [Fact]
    public async Task Choice_by_chance_fails_that_bar()
    {
        Run run = await OneDeadOneSlowAsync(1, new(ComparesLoad: false), static o => o.Ejection = null);
        run.Report.Amplification.Should().BeGreaterThan(1.08);
        run.Report.LatenciesBetween(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(120)).Quantile(0.99).TotalMilliseconds.Should().BeGreaterThan(200);
    }

    /// <summary>An endpoint that fails within a millisecond looks like the fastest of all.</summary>
    [Fact]
    public async Task Fast_failures_taken_for_low_latency_fail_that_bar()
    {
        Run run = await OneDeadOneSlowAsync(1, new(LeastCostOfFailureMs: 0), static o => o.Ejection = null);
        run.Report.Amplification.Should().BeGreaterThan(1.05);
    }

    /// <summary>Bar 16: seven of ten dead for a minute.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Seven_of_ten_dead_is_a_panic_in_which_no_time_grows_and_all_are_back_soon_after(long seed)
    {
        Run run = await RunAsync(seed, 180, static replicas =>
        {
            for (int i = 0; i < 7; i++) replicas[i].From(TimeSpan.FromSeconds(10), Dead).From(TimeSpan.FromSeconds(70), Well);
        });
        run.MaxOut.Should().BeLessThanOrEqualTo(3);
        run.HighestLevel.Should().BeLessThanOrEqualTo(2, "one ejection before the panic, and at most one probe beside its begin");
        (run.Set.IsPanic, run.Set.Ejected).Should().Be((false, 0));
        double last = run.Ejections.Count == 0 ? 0 : run.Ejections.Max(e => e.At + e.Event.Duration.TotalSeconds);
        run.Report.SuccessShare(TimeSpan.FromSeconds(Math.Max(72, last) + 15), TimeSpan.FromSeconds(180)).Should().Be(1);
        run.PanicSeconds.Should().BeGreaterThan(30);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Where_all_are_slow_alike_none_is_left_out(long seed)
    {
        Run run = await RunAsync(seed, 60, static replicas => Array.ForEach(replicas, replica => replica.From(TimeSpan.FromSeconds(20), Slow)));
        run.Ejections.Should().BeEmpty();
    }

    /// <summary>A dead endpoint costs each time that it is tried again: one call. Without retries each of them is seen.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_dead_endpoint_that_comes_back_costs_at_most_three_calls_each_time(long seed)
    {
        Run run = await DeadForGoodAsync(seed, null);
        run.Ejections.Count.Should().BeGreaterThan(1);
        run.Report.Failed.Should().BeLessThanOrEqualTo(5 + (3 * run.Ejections.Count), "five before the first time, then three at most");
    }

    /// <summary>With chance instead of load, so that what is known of its latency does not keep calls away from it.</summary>
    private static Task<Run> DeadForGoodAsync(long seed, EndpointTerms? terms) => RunAsync(
        seed, 300, static replicas => replicas[5].From(TimeSpan.Zero, Dead), terms ?? new(ComparesLoad: false), null, retries: 0);

    [Fact]
    public async Task An_endpoint_that_comes_back_at_once_fails_that_bar()
    {
        Run run = await DeadForGoodAsync(1, new(ComparesLoad: false, ComesBackAtOnce: true));
        run.Report.Failed.Should().BeGreaterThan(5 + (3 * run.Ejections.Count));
    }
}
