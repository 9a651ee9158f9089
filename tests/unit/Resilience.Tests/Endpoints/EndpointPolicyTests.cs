namespace Resilience.Tests.Endpoints;

/// <summary>Endpoints in a pipeline: each attempt has its own, retries and hedges go elsewhere, and outcomes count for what they are.</summary>
public sealed class EndpointPolicyTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WatchedTime _time = new();

    private EndpointSet NewSet(int endpoints = 3, Action<EndpointSetOptions>? change = null)
    {
        EndpointSetOptions options = new();
        for (int i = 0; i < endpoints; i++) options.Addresses.Add(new($"http://10.0.0.{i}"));
        change?.Invoke(options);
        return new(options, _time, Randomness.Seeded(3));
    }

    private ResiliencePipelineBuilder Builder() => new() { TimeProvider = _time, Randomness = Randomness.Seeded(5) };

    private static string HostOf(ResilienceContext context) => context.TryGet(EndpointSet.Chosen, out TargetEndpoint? chosen) ? chosen.Address.Host : "none";

    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 1)]
    public async Task A_retry_goes_to_an_endpoint_that_was_not_tried(bool another, int different)
    {
        EndpointSet set = NewSet(3, o => (o.AnotherOnRetry, o.Choice) = (another, EndpointChoice.Ordered));
        List<string> hosts = [];
        ResiliencePipeline pipeline = Builder().AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero)).AddEndpoints(set).Build();
        await _time.DriveAsync(pipeline.TryExecuteAsync<int, int>(
            default,
            (context, _) =>
            {
                hosts.Add(HostOf(context));
                throw new IOException();
            },
            0));
        (hosts.Count, hosts.Distinct().Count()).Should().Be((3, different));
        set.Endpoints.Sum(e => e.Pending).Should().Be(0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_hedge_goes_to_an_endpoint_that_was_not_tried(bool another)
    {
        EndpointSet set = NewSet(3, o => (o.AnotherOnHedge, o.Choice) = (another, EndpointChoice.Ordered));
        List<string> hosts = [];
        TaskCompletionSource second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ResiliencePipeline pipeline = Builder().AddHedging(o => o.Delay = TimeSpan.FromSeconds(1)).AddEndpoints(set).Build();
        Task<Outcome<int>> call = pipeline.TryExecuteAsync<int, int>(
            default,
            async (context, _) =>
            {
                lock (hosts) hosts.Add(HostOf(context));
                if (context.Attempt == 0) await Task.Delay(Timeout.Infinite, context.CancellationToken);
                second.TrySetResult();
                return 2;
            },
            0).AsTask();
        await _time.PassAsync(TimeSpan.FromSeconds(1));
        (await call.WaitAsync(Patience)).Value.Should().Be(2);
        hosts.Should().Equal("10.0.0.0", another ? "10.0.0.1" : "10.0.0.0");
        SpinWait.SpinUntil(() => set.Endpoints.Sum(e => e.Pending) == 0, Patience).Should().BeTrue("the loser ends too");
        if (another) set.Endpoints[0].CostMs.Should().BeGreaterThanOrEqualTo(1000, "it took at least so long");
    }

    [Fact]
    public async Task Outcomes_count_for_what_they_are()
    {
        EndpointSet set = NewSet(2, o => o.Choice = EndpointChoice.Ordered);
        ResiliencePipeline pipeline = Builder().Classify(r => r.On<TimeoutException>(Classification.Throttled())).AddEndpoints(set)
            .AddConcurrencyLimit(1).Build();
        (await pipeline.TryExecuteAsync<int>(_ => throw new TimeoutException())).Verdict.Should().Be(Verdict.Failure);
        (await pipeline.TryExecuteAsync<int>(_ => throw new ArgumentException("ours"))).Verdict.Should().Be(Verdict.Ignored);
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Value.Should().Be(1);
        EndpointInterval seen = set.Endpoints[0].TakeInterval();
        (seen.Ended, seen.Failed, set.Endpoints[0].Consecutive).Should().Be((1, 0, 0), "a 429 and a wrong call are not counted");
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        set.Endpoints[0].TakeInterval().Failed.Should().Be(1);
        await pipeline.ExecuteAsync(async token =>
        {
            (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(2), token)).Verdict.Should().Be(Verdict.Rejected);
        });
        set.Endpoints[0].TakeInterval().Ended.Should().Be(1, "what the limit inside rejected was not sent");
    }

    [Fact]
    public async Task Without_endpoints_a_call_goes_where_it_would_go()
    {
        ResiliencePipeline pipeline = Builder().AddEndpoints(_ => { }).Build();
        (await pipeline.TryExecuteAsync<int, string>(default, static (context, _) => ValueTask.FromResult(HostOf(context)), 0)).Value.Should().Be("none");
    }

    [Fact]
    public void An_update_keeps_what_is_known()
    {
        ResiliencePipelineBuilder Of(params string[] hosts) => Builder().AddEndpoints(o =>
        {
            foreach (string host in hosts) o.Addresses.Add(new($"http://{host}"));
        });
        ResiliencePipeline pipeline = Of("a", "b").Build();
        EndpointSet set = pipeline.Find<EndpointSet>()!;
        TargetEndpoint kept = set.Endpoints[1];
        pipeline.Update(Of("b", "c"));
        pipeline.Find<EndpointSet>().Should().BeSameAs(set);
        (set.Endpoints[0], set.Endpoints.Count).Should().Be((kept, 2));
    }

    [Fact]
    public void A_status_says_how_many_are_used()
    {
        EndpointSet set = NewSet(4);
        ((IPolicyStatus)set).GetStatus().Text.Should().Be("all of 4 endpoints are used");
        for (int i = 0; i < 5; i++) set.Release(set.TryPick(set.Endpoints[1], set.Endpoints[2], set.Endpoints[3])!.Value, EndpointEnd.Failed);
        PolicyStatus status = ((IPolicyStatus)set).GetStatus();
        (status.Condition, status.Text, status.Readings[0].Value).Should().Be((PolicyCondition.Warning, "1 of 4 endpoints left out", 3.0));
    }
}
