using System.Diagnostics.Metrics;
using System.Net;
using Resilience.Tests.Allocation;

namespace Resilience.Tests.Throttling;

/// <summary>A throttle in a pipeline: what is counted as what, which class a call has, and what is seen of it.</summary>
public sealed class ThrottlePolicyTests
{
    private readonly ManualTime _time = new();
    private readonly AdaptiveThrottle _throttle;

    public ThrottlePolicyTests() => _throttle = new(new(), _time, Randomness.Seeded(3));

    private ResiliencePipeline Pipeline(Action<ResiliencePipelineBuilder>? inside = null, Action<AdaptiveThrottleOptions>? configure = null)
    {
        ResiliencePipelineBuilder builder = new() { Name = "search", TimeProvider = _time, Randomness = Randomness.Seeded(3) };
        if (configure is null) builder.AddAdaptiveThrottle(_throttle);
        else builder.AddAdaptiveThrottle(configure);
        inside?.Invoke(builder);
        return builder.Build();
    }

    private static AdaptiveThrottle ThrottleOf(ResiliencePipeline pipeline) => (AdaptiveThrottle)pipeline.States.First(s => s.State is AdaptiveThrottle).State!;

    private double ShareAfterTick(ResiliencePipeline pipeline, Criticality criticality = Criticality.Critical)
    {
        _time.Advance(TimeSpan.FromMilliseconds(100));
        return ThrottleOf(pipeline).ShareRejected(criticality);
    }

    private sealed class Broken : Exception;

    public static TheoryData<string, bool> Outcomes => new()
    {
        { "success", false }, { "broken", false }, { "429", true }, { "503", true }, { "500", false }, { "404", false }, { "timeout", true },
        { "rule", true }, { "cancelled", false },
    };

    private static async ValueTask<int> EndAsync(string outcome, CancellationToken token)
    {
        switch (outcome)
        {
            case "broken": throw new Broken();
            case "429" or "503" or "500" or "404": throw new HttpRequestException("status", null, Enum.Parse<HttpStatusCode>(outcome));
            case "timeout": throw new TimedOutException("attempt", TimeSpan.FromSeconds(1));
            case "rule": throw new InvalidDataException();
            case "cancelled": throw new OperationCanceledException(token);
            default: return await ValueTask.FromResult(1);
        }
    }

    [Theory]
    [MemberData(nameof(Outcomes))]
    public async Task Only_what_shows_overload_speaks_against_the_dependency(string outcome, bool isOverload)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .Classify(rules => rules.On<InvalidDataException>(new Classification(Verdict.Failure) { IsOverload = true }))
            .AddAdaptiveThrottle(_throttle).Build();
        for (int i = 0; i < 20; i++) await pipeline.TryExecuteAsync(token => EndAsync(outcome, token));
        ShareAfterTick(pipeline).Should().Be(isOverload ? 20 / 30.0 : 0);
    }

    [Fact]
    public async Task All_failures_count_where_that_is_asked_for_and_a_delegate_can_name_more()
    {
        ResiliencePipeline all = Pipeline(configure: o => o.Counts = ThrottleCounts.AllFailures);
        ResiliencePipeline named = Pipeline(configure: o => o.IsOverload = a => a.Exception is Broken);
        ResiliencePipeline throws = Pipeline(configure: o => o.IsOverload = _ => throw new InvalidOperationException());
        foreach (ResiliencePipeline pipeline in (ResiliencePipeline[])[all, named, throws])
        {
            for (int i = 0; i < 20; i++) await pipeline.TryExecuteAsync(token => EndAsync("broken", token));
        }

        (ShareAfterTick(all) > 0, ShareAfterTick(named) > 0, ShareAfterTick(throws) > 0).Should().Be((true, true, false));
    }

    /// <summary>A call that a policy inside rejected was not sent: with an open circuit the throttle learns nothing.</summary>
    [Fact]
    public async Task Rejections_from_inside_are_counted_as_nothing()
    {
        CircuitBreaker breaker = new(new(), _time);
        ResiliencePipeline pipeline = Pipeline(b => b.AddCircuitBreaker(breaker), o => o.Counts = ThrottleCounts.AllFailures);
        breaker.Isolate();
        for (int i = 0; i < 50; i++) await pipeline.TryExecuteAsync(static _ => ValueTask.FromResult(1));
        ShareAfterTick(pipeline).Should().Be(0);
    }

    [Fact]
    public async Task A_call_has_the_class_that_its_caller_says_and_each_retry_keeps_it()
    {
        List<Criticality> seen = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero)).AddAdaptiveThrottle(_throttle).Build();
        await pipeline.TryExecuteAsync<int, int>(
            new CallOptions { Criticality = Criticality.Sheddable },
            (context, _) =>
            {
                seen.Add(context.Criticality);
                throw new HttpRequestException("busy", null, HttpStatusCode.ServiceUnavailable);
            },
            0);
        seen.Should().Equal(Criticality.Sheddable, Criticality.Sheddable, Criticality.Sheddable);
        (ShareAfterTick(pipeline, Criticality.Sheddable) > 0, ShareAfterTick(pipeline) > 0).Should().Be((true, false));
    }

    [Theory]
    [InlineData(null, Criticality.Critical, Criticality.SheddablePlus)]
    [InlineData(Criticality.CriticalPlus, Criticality.CriticalPlus, Criticality.Critical)]
    [InlineData(Criticality.SheddablePlus, Criticality.SheddablePlus, Criticality.Sheddable)]
    public async Task A_hedge_is_one_class_lower_than_its_call(Criticality? said, Criticality first, Criticality second)
    {
        List<Criticality> seen = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddHedging(o => o.Delay = Timeout.InfiniteTimeSpan).Build();
        await pipeline.TryExecuteAsync<int, int>(
            new CallOptions { Criticality = said },
            (context, _) =>
            {
                lock (seen) seen.Add(context.Criticality);
                throw new IOException();
            },
            0);
        seen.Should().Equal(first, second);
    }

    [Fact]
    public async Task A_rejection_ends_the_call_at_once_and_is_seen()
    {
        List<ResilienceEvent> heard = [];
        using MeterListener meters = new();
        List<string> counted = [];
        meters.InstrumentPublished = (i, l) =>
        {
            if (i.Name == "resilience.throttle.rejections") l.EnableMeasurementEvents(i);
        };
        meters.SetMeasurementEventCallback<long>((i, value, tags, _) =>
        {
            string text = string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"));
            if (text.Contains("throttled-here", StringComparison.Ordinal)) counted.Add(text);
        });
        meters.Start();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "throttled-here", TimeProvider = _time, Randomness = Randomness.Seeded(3) }
            .AddAdaptiveThrottle(o => o.MaxRejection = 0.99).OnEvent(heard.Add).Build();
        AdaptiveThrottle throttle = ThrottleOf(pipeline);
        for (int i = 0; i < 10_000; i++) throttle.Record(Criticality.Critical, isAccepted: false);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        int sent = 0;
        for (int i = 0; i < 200; i++) await pipeline.TryExecuteAsync(_ => ValueTask.FromResult(++sent));
        sent.Should().BeInRange(0, 12, "one in a hundred");
        heard.Should().AllBeOfType<CallThrottled>().And.HaveCount(200 - sent);
        counted.Should().HaveCount(200 - sent)
            .And.OnlyContain(t => t == "resilience.pipeline=throttled-here resilience.policy=adaptive-throttle resilience.criticality=critical");
        Outcome<int> outcome = await FirstRejectedAsync(pipeline);
        outcome.Rejection.Should().BeOfType<ThrottleRejection>();
        outcome.Exception.Should().BeOfType<ThrottledException>().Which.Message.Should().Contain("overloaded");
    }

    private static async Task<Outcome<int>> FirstRejectedAsync(ResiliencePipeline pipeline)
    {
        while (true)
        {
            Outcome<int> outcome = await pipeline.TryExecuteAsync(static _ => ValueTask.FromResult(1));
            if (outcome.Verdict == Verdict.Rejected) return outcome;
        }
    }

    [Fact]
    public void Passing_and_rejecting_allocate_nothing()
    {
        ResiliencePipeline pipeline = Pipeline();
        Allocated.BytesPerRun(() => pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1)).GetAwaiter().GetResult()).Should().Be(0);
        for (int i = 0; i < 1_000_000; i++) _throttle.Record(Criticality.Critical, isAccepted: false);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Allocated.BytesPerRun(() => pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1)).GetAwaiter().GetResult()).Should().Be(0);
    }

    [Fact]
    public void An_update_of_the_pipeline_keeps_what_was_counted()
    {
        ResiliencePipeline pipeline = Pipeline(configure: _ => { });
        AdaptiveThrottle throttle = ThrottleOf(pipeline);
        for (int i = 0; i < 100; i++) throttle.Record(Criticality.Critical, isAccepted: false);
        pipeline.Update(new ResiliencePipelineBuilder { Name = "search", TimeProvider = _time }.AddAdaptiveThrottle(o => o.MaxRejection = 0.4));
        ThrottleOf(pipeline).Should().BeSameAs(throttle);
        ShareAfterTick(pipeline).Should().Be(0.4);
        pipeline.Describe().ToString().Should().Contain("40 %");
    }

    [Fact]
    public void A_throttle_outside_the_retry_and_one_that_stands_twice_are_found()
    {
        new ResiliencePipelineBuilder().AddAdaptiveThrottle().AddRetry().Build().Warnings.Select(w => w.Code).Should().Contain("RES019");
        new ResiliencePipelineBuilder().AddRetry().AddAdaptiveThrottle().Build().Warnings.Select(w => w.Code).Should().NotContain("RES019");
        new ResiliencePipelineBuilder().AddAdaptiveThrottle(_throttle).AddTimeout(TimeSpan.FromSeconds(1)).AddAdaptiveThrottle(_throttle).Build()
            .Warnings.Select(w => w.Code).Should().Contain("RES013");
    }
}
