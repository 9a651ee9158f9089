using Resilience.Testing;

namespace Resilience.Tests.Simulations;

/// <summary>The simulation kit itself: what it promises to those who test their own pipelines with it.</summary>
public sealed class SimulationTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Load_comes_in_as_asked_and_ends_well_against_a_healthy_dependency()
    {
        Simulation world = new(1);
        SimulatedDependency shop = world.AddDependency("shop");
        world.AddArrivals("buy", 10, async token => await shop.CallAsync(token));
        SimulationReport report = await world.RunAsync(TimeSpan.FromMinutes(10));
        report.Started.Should().BeInRange(5_700, 6_300, "ten a second for ten minutes, at random");
        report.Succeeded.Should().Be(report.Started).And.Be(shop.Operations).And.Be(shop.Arrivals);
        report.Stuck.Should().Be(0);
        report.TimersLeft.Should().Be(0);
        report.Amplification.Should().Be(1);
        report.Latencies.Quantile(0.5).TotalMilliseconds.Should().BeInRange(9, 10.0001);
        report.Timeline.Sum(i => i.Started).Should().Be(report.Started);
        report.ToString().Should().Contain("succeeded").And.Contain("100.00");
    }

    [Fact]
    public async Task Clients_wait_for_their_answers_and_think_before_they_ask_again()
    {
        Simulation world = new(2);
        SimulatedDependency shop = world.AddDependency("shop", new() { Latency = TimeSpan.FromSeconds(1) });
        world.AddClients("client", 5, TimeSpan.Zero, async token => await shop.CallAsync(token));
        SimulationReport report = await world.RunAsync(Minute);
        report.Started.Should().Be(300, "five clients, a second each");
        report.Timeline.Max(i => i.MaxInFlight).Should().Be(5);
    }

    [Fact]
    public async Task Abandoned_requests_that_are_served_and_those_that_wait_are_counted()
    {
        Simulation world = new(3);
        SimulatedDependency shop = world.AddDependency("shop", new() { Latency = TimeSpan.FromSeconds(10), Capacity = 1 });
        ResiliencePipeline impatient = world.Attach(new ResiliencePipelineBuilder { Name = "shop" }).AddTimeout(TimeSpan.FromSeconds(15)).Build();
        for (int i = 0; i < 3; i++) world.AddClients($"client {i}", 1, TimeSpan.Zero, token => impatient.ExecuteAsync(shop.CallAsync, token), until: Minute / 60);
        world.AddArrivals("late", 1, _ => default); // a late arrival keeps the world alive until the abandoned requests are served
        SimulationReport report = await world.RunAsync(Minute);
        report.Attempts.Should().Be(3);
        report.Succeeded.Should().Be(report.Started - 2, "the second and the third are served after 20 and 30 seconds, and the callers wait for 15");
        report.Abandoned.Should().Be(2).And.Be(shop.Abandoned);
        report.Timeline.Where(i => i.Abandoned > 0).Select(i => i.Start.TotalSeconds).Should().Equal(20, 30);
        report.Timeline[0].MaxWaiting.Should().Be(2);
        report.Timeline[10].MaxWaiting.Should().Be(2, "the first was served, and it ended while two waited");
        report.Timeline[30].MaxWaiting.Should().Be(0);
    }

    [Fact]
    public async Task Latencies_can_be_asked_for_in_a_stretch_of_the_run()
    {
        Simulation world = new(4);
        SimulatedDependency shop = world.AddDependency("shop").From(Minute, new() { Latency = TimeSpan.FromSeconds(1) });
        world.AddArrivals("buy", 10, async token => await shop.CallAsync(token));
        SimulationReport report = await world.RunAsync(2 * Minute);
        LatencyHistogram before = report.LatenciesBetween(TimeSpan.Zero, Minute), after = report.LatenciesBetween(Minute + TimeSpan.FromSeconds(1), 3 * Minute);
        before.Count.Should().Be(report.Timeline.Take(60).Sum(i => i.Latencies.Count)).And.BeGreaterThan(500);
        before.Max.TotalMilliseconds.Should().Be(10);
        after.Quantile(0.01).TotalMilliseconds.Should().BeInRange(900, 1000);
        report.LatenciesBetween(TimeSpan.Zero, TimeSpan.FromHours(1)).Count.Should().Be(report.Latencies.Count);
        report.LatenciesBetween(Minute, Minute).Count.Should().Be(0);
    }

    [Fact]
    public async Task The_same_seed_tells_the_same_story_and_another_one_does_not()
    {
        (SimulationReport a, SimulationReport b, SimulationReport other) = (await OutageAsync(7), await OutageAsync(7), await OutageAsync(8));
        a.IsExact.Should().BeTrue("nothing in this pipeline leaves the thread of the simulation");
        b.Fingerprint.Should().Be(a.Fingerprint);
        b.Trace.Should().Equal(a.Trace);
        other.Fingerprint.Should().NotBe(a.Fingerprint);
    }

    [Fact]
    public async Task An_outage_opens_the_circuit_and_the_report_says_when_and_what_became_of_the_calls()
    {
        SimulationReport report = await OutageAsync(7);
        report.CircuitChanges.Should().Contain(c => c.Change.To == CircuitState.Open && c.At > Minute && c.At < Minute + TimeSpan.FromSeconds(10));
        report.CircuitChanges[^1].Change.To.Should().Be(CircuitState.Closed);
        report.Outcomes.Should().ContainKey(nameof(CircuitOpenException));
        report.Rejected.Should().Be(report.Outcomes[nameof(CircuitOpenException)]);
        report.SuccessShare(TimeSpan.Zero, Minute).Should().Be(1);
        report.SuccessShare(Minute * 1.2, Minute * 2).Should().Be(0);
        report.SuccessShare(Minute * 2.5, Minute * 4).Should().Be(1);
    }

    private static Task<SimulationReport> OutageAsync(int seed)
    {
        Simulation world = new(seed, keepTrace: true);
        SimulatedDependency shop = world.AddDependency("shop")
            .From(Minute, new() { FailureRate = 1 }).From(Minute * 2, new());
        ResiliencePipeline pipeline = world.Attach(new ResiliencePipelineBuilder { Name = "shop" })
            .AddTimeout(TimeSpan.FromSeconds(10)).AddRetry().AddCircuitBreaker(o => o.ConsecutiveFailures = 10).Build();
        world.AddArrivals("buy", 5, token => pipeline.ExecuteAsync(shop.CallAsync, token));
        return world.RunAsync(Minute * 4);
    }

    [Fact]
    public async Task A_thousand_hours_pass_in_seconds()
    {
        Simulation world = new(3) { Interval = TimeSpan.FromHours(1) };
        SimulatedDependency shop = world.AddDependency("shop", new() { FailureRate = 0.1 });
        ResiliencePipeline pipeline = world.Attach(new ResiliencePipelineBuilder()).AddRetry().Build();
        world.AddClients("client", 1, TimeSpan.FromSeconds(30), token => pipeline.ExecuteAsync(shop.CallAsync, token));
        SimulationReport report = await world.RunAsync(TimeSpan.FromHours(1000));
        report.Started.Should().BeInRange(110_000, 130_000);
        report.Timeline.Should().HaveCountGreaterThanOrEqualTo(1000);
    }

    [Fact]
    public async Task A_dependency_short_of_capacity_serves_in_turn_and_does_not_notice_who_has_left()
    {
        Simulation world = new(4);
        SimulatedDependency shop = world.AddDependency("shop", new() { Latency = TimeSpan.FromSeconds(1), Capacity = 1, MaxQueued = 2 });
        List<string> outcomes = [];
        for (int i = 0; i < 4; i++)
        {
            int call = i;
            world.At(TimeSpan.FromMilliseconds(i), () => _ = CallAsync(call));
        }

        await world.RunAsync(Minute);
        outcomes.Should().Equal("3 HttpRequestException at 0", "1 TaskCanceledException at 0.5", "0 served at 1", "2 served at 3");
        shop.Operations.Should().Be(3, "the one that was abandoned was served all the same");

        async Task CallAsync(int call)
        {
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(call == 1 ? 0.5 : 100), world.Time);
            try
            {
                await shop.CallAsync(patience.Token);
                Note("served");
            }
            catch (Exception error)
            {
                Note(error.GetType().Name);
            }

            void Note(string outcome) => outcomes.Add(FormattableString.Invariant($"{call} {outcome} at {Math.Round(world.Time.Elapsed.TotalSeconds, 1)}"));
        }
    }

    [Fact]
    public async Task Lost_replies_are_operations_whose_outcome_reached_no_caller()
    {
        Simulation world = new(5);
        SimulatedDependency shop = world.AddDependency("shop", new() { LostReplyRate = 0.5 });
        world.AddArrivals("buy", 10, async token => await shop.CallAsync(token));
        SimulationReport report = await world.RunAsync(Minute * 10);
        report.Operations.Should().Be(report.Started);
        report.Failed.Should().BeInRange(2_700, 3_300);
    }

    [Fact]
    public async Task A_call_that_never_ends_is_reported_as_stuck_and_a_forgotten_timer_is_counted()
    {
        Simulation world = new(6);
        SimulatedDependency shop = world.AddDependency("shop", new() { HangRate = 1 });
        world.At(TimeSpan.FromSeconds(1), () => world.Time.CreateTimer(_ => { }, null, TimeSpan.FromDays(30), Timeout.InfiniteTimeSpan));
        world.AddArrivals("buy", 1, async token => await shop.CallAsync(token), until: TimeSpan.FromSeconds(30));
        SimulationReport report = await world.RunAsync(Minute);
        report.Stuck.Should().Be((int)report.Started).And.BePositive();
        report.TimersLeft.Should().Be(1);
    }

    [Fact]
    public async Task Continuations_of_policies_stay_on_the_thread_of_the_simulation()
    {
        Simulation world = new(9);
        SimulatedDependency shop = world.AddDependency("shop", new() { Latency = TimeSpan.FromMilliseconds(200), Spread = LatencySpread.Exponential, FailureRate = 0.3 });
        ResiliencePipeline pipeline = world.Attach(new ResiliencePipelineBuilder { Name = "shop" })
            .AddTimeout(TimeSpan.FromSeconds(2)).AddRetry().AddHedging(o => o.Delay = TimeSpan.FromMilliseconds(300))
            .AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = 3, MaxQueued = 50, MaxWait = TimeSpan.FromMilliseconds(400) }).Build();
        world.AddArrivals("buy", 20, async _ =>
        {
            using CancellationTokenSource patience = new(TimeSpan.FromMilliseconds(900), world.Time);
            await pipeline.ExecuteAsync(shop.CallAsync, patience.Token).ConfigureAwait(false);
        });
        SimulationReport report = await world.RunAsync(Minute);
        report.IsExact.Should().BeTrue("waits in a queue, their ends, cancelled waits and lost hedges go through the queue of the simulation");
        report.Outcomes.Should().ContainKey("success").And.HaveCountGreaterThan(2);
        report.Stuck.Should().Be(0);
        report.TimersLeft.Should().Be(0);
    }

    [Fact]
    public void The_wall_clock_can_be_stepped_apart_from_the_monotonic_one()
    {
        VirtualTime time = new Simulation(1).Time;
        DateTimeOffset before = time.GetUtcNow();
        long start = time.GetTimestamp();
        time.StepWallClock(TimeSpan.FromHours(-5));
        time.GetUtcNow().Should().Be(before.AddHours(-5));
        time.GetElapsedTime(start).Should().Be(TimeSpan.Zero);
    }

    [Fact]
    public async Task Bad_input_gets_a_clear_error()
    {
        Simulation world = new(1);
        world.Invoking(w => w.AddDependency("x", new() { FailureRate = 1.5 })).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*FailureRate*0 to 1*");
        world.Invoking(w => w.AddDependency("x", new() { FailureRate = 0.6, HangRate = 0.6 })).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*more than 1*");
        world.Invoking(w => w.AddDependency("x", new() { Capacity = 0 })).Should().Throw<ArgumentOutOfRangeException>();
        world.Invoking(w => w.AddArrivals("x", double.NaN, _ => default)).Should().Throw<ArgumentOutOfRangeException>();
        world.Invoking(w => w.AddClients("x", 0, default, _ => default)).Should().Throw<ArgumentOutOfRangeException>();
        await world.Awaiting(w => w.RunAsync(TimeSpan.Zero)).Should().ThrowAsync<ArgumentOutOfRangeException>();
        await world.RunAsync(Minute);
        await world.Awaiting(w => w.RunAsync(Minute)).Should().ThrowAsync<InvalidOperationException>().WithMessage("*runs once*");
    }
}
