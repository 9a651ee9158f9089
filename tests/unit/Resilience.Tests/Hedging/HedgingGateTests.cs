namespace Resilience.Tests.Hedging;

/// <summary>Calls that are not hedged: what is sheddable, what the user does not want, and all while the dependency is overloaded.</summary>
public sealed class HedgingGateTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WatchedTime _time = new();
    private readonly List<ResilienceEvent> _events = [];
    private readonly Attempts<int> _attempts = new();
    private readonly TaskCompletionSource _decided = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Hear(ResilienceEvent happened)
    {
        _events.Add(happened);
        if (happened is HedgeStarted or HedgeSkipped) _decided.TrySetResult();
    }

    private ResiliencePipelineBuilder Builder(Action<HedgingOptions>? configure = null) =>
        new ResiliencePipelineBuilder { Name = "prices", TimeProvider = _time, Randomness = Randomness.Seeded(1) }.OnEvent(Hear).AddHedging(o =>
        {
            o.Delay = TimeSpan.FromSeconds(1);
            o.MaxAttempts = 3;
            configure?.Invoke(o);
        });

    private ResiliencePipelineBuilder Empty() => new() { TimeProvider = _time };

    private async Task<HedgeSkipReason[]> SkipsAsync(ResiliencePipeline pipeline, Criticality criticality = Criticality.Critical)
    {
        Task<Outcome<int>> call = pipeline.TryExecuteAsync(
            new CallOptions { Criticality = criticality }, static (context, attempts) => attempts.RunAsync(context), _attempts).AsTask();
        Attempts<int>.One first = await _attempts.NextAsync();
        await _time.PassAsync(TimeSpan.FromSeconds(1));
        await _decided.Task.WaitAsync(Patience);
        if (_events.OfType<HedgeStarted>().Any()) await _attempts.NextAsync();
        first.Result.SetResult(1);
        (await call.WaitAsync(Patience)).Value.Should().Be(1);
        return [.. _events.OfType<HedgeSkipped>().Select(e => e.Cause)];
    }

    [Theory]
    [InlineData(Criticality.Sheddable, true)]
    [InlineData(Criticality.SheddablePlus, false)]
    [InlineData(Criticality.Critical, false)]
    [InlineData(Criticality.CriticalPlus, false)]
    public async Task A_sheddable_call_is_not_hedged(Criticality criticality, bool isSkipped)
    {
        (await SkipsAsync(Builder().Build(), criticality)).Should().Equal(isSkipped ? [HedgeSkipReason.Sheddable] : []);
        _attempts.Count.Should().Be(isSkipped ? 1 : 2);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [InlineData(null)] // throws
    public async Task The_user_is_asked_once_before_the_first_hedge(bool? answer)
    {
        List<string?> asked = [];
        ResiliencePipeline pipeline = Builder(o => (o.Delay, o.CanHedge) = (TimeSpan.Zero, context =>
        {
            asked.Add(context.Operation);
            return answer ?? throw new InvalidOperationException("planted");
        }
        )).Build();
        Task<Outcome<int>> call = pipeline.TryExecuteAsync(
            new CallOptions("read"), static (context, attempts) => attempts.RunAsync(context), _attempts).AsTask();
        Attempts<int>.One first = await _attempts.NextAsync();
        if (answer == true) await _attempts.NextAsync();
        if (answer == true) await _attempts.NextAsync();
        first.Result.SetResult(1);
        (await call.WaitAsync(Patience)).Value.Should().Be(1);
        asked.Should().Equal("read");
        _events.OfType<HedgeSkipped>().Select(e => e.Cause).Should().Equal(answer == true ? [] : [HedgeSkipReason.NotWanted]);
    }

    /// <summary>A throttle that rejects the calls of one class: at the same level, in a pipeline inside, and outside of a pipeline with the hedging.</summary>
    [Theory]
    [InlineData("inside")]
    [InlineData("in a pipeline inside")]
    [InlineData("inside of a pipeline that hedges")]
    [InlineData("outside")]
    public async Task Nothing_is_hedged_while_a_throttle_inside_rejects(string where)
    {
        AdaptiveThrottle throttle = new(new AdaptiveThrottleOptions { Name = "throttle" }, _time);
        ResiliencePipeline pipeline = where switch
        {
            "inside" => Builder().AddAdaptiveThrottle(throttle).Build(),
            "in a pipeline inside" => Builder().AddPipeline(Empty().AddAdaptiveThrottle(throttle).Build()).Build(),
            "outside" => Empty().AddAdaptiveThrottle(throttle).AddPipeline(Builder().Build()).Build(),
            _ => Empty().AddPipeline(Builder().Build()).AddAdaptiveThrottle(throttle).Build(),
        };
        for (int i = 0; i < 40; i++) throttle.Record(Criticality.Sheddable, isAccepted: false);
        throttle.ShareRejected(Criticality.Sheddable).Should().BePositive();
        (await SkipsAsync(pipeline)).Should().Equal(where == "outside" ? [] : [HedgeSkipReason.Overloaded]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_is_hedged_while_an_adaptive_limit_inside_rejects(bool rejects)
    {
        AdaptiveConcurrencyLimit limit = new(new AdaptiveConcurrencyLimitOptions { Name = "limit", InitialLimit = 4 }, _time);
        LimitPermit[] held = [.. Enumerable.Range(0, 4).Select(_ => limit.TryEnter(Criticality.CriticalPlus)!.Value)];
        if (rejects) limit.TryEnter().Should().BeNull();
        foreach (LimitPermit permit in held) limit.Leave(permit, Verdict.Ignored);
        limit.GetSnapshot().IsRejecting.Should().Be(rejects);
        (await SkipsAsync(Builder().AddAdaptiveConcurrencyLimit(limit).Build())).Should().Equal(rejects ? [HedgeSkipReason.Overloaded] : []);
    }

    [Fact]
    public async Task A_failure_starts_no_hedge_either_while_the_dependency_is_overloaded()
    {
        AdaptiveThrottle throttle = new(new AdaptiveThrottleOptions { Name = "throttle" }, _time);
        ResiliencePipeline pipeline = Builder().AddAdaptiveThrottle(throttle).Build();
        for (int i = 0; i < 40; i++) throttle.Record(Criticality.Sheddable, isAccepted: false);
        (await pipeline.TryExecuteAsync<int>(_ => throw new IOException())).Verdict.Should().Be(Verdict.Failure);
        _events.OfType<HedgeSkipped>().Should().ContainSingle().Which.Cause.Should().Be(HedgeSkipReason.Overloaded);
    }
}
