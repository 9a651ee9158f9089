using System.Net;

namespace Resilience.Tests.AdaptiveLimiting;

/// <summary>An adaptive limit in a pipeline: what is counted as what, how long a place is held, and what is seen of it.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class AdaptiveLimitPolicyTests
{
    private readonly ManualTime _time = new();
    private readonly AdaptiveConcurrencyLimit _limit;

    public AdaptiveLimitPolicyTests() => _limit = new(new() { Name = "shared", InitialLimit = 100 }, _time, Randomness.Seeded(3));

    private static async ValueTask<int> EndAsync(string outcome, CancellationToken token)
    {
        switch (outcome)
        {
            case "broken": throw new IOException();
            case "429" or "503" or "500" or "404": throw new HttpRequestException("status", null, Enum.Parse<HttpStatusCode>(outcome));
            case "timeout": throw new TimedOutException("attempt", TimeSpan.FromSeconds(1));
            case "rule": throw new InvalidDataException();
            case "named": throw new InvalidOperationException();
            case "cancelled": throw new OperationCanceledException(token);
            default: return await ValueTask.FromResult(1);
        }
    }

    public static TheoryData<string, int, int> Outcomes => new()
    {
        { "success", 10, 0 }, { "broken", 0, 0 }, { "500", 0, 0 }, { "404", 0, 0 }, { "cancelled", 0, 0 }, { "429", 0, 10 }, { "503", 0, 10 },
        { "timeout", 0, 10 }, { "rule", 0, 10 }, { "named", 0, 10 },
    };

    [Theory]
    [MemberData(nameof(Outcomes))]
    public async Task Success_is_a_sample_what_shows_overload_a_sign_and_other_failures_are_neither(string outcome, int samples, int signs)
    {
        foreach (bool suspends in new[] { false, true })
        {
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
                .Classify(rules => rules.On<InvalidDataException>(new Classification(Verdict.Failure) { IsOverload = true }))
                .AddAdaptiveConcurrencyLimit(o => o.IsOverload = a => a.Exception is InvalidOperationException).Build();
            AdaptiveConcurrencyLimit limit = pipeline.Find<AdaptiveConcurrencyLimit>()!;
            for (int i = 0; i < 10; i++)
            {
                await pipeline.TryExecuteAsync(async token =>
                {
                    if (suspends) await Task.Yield();
                    limit.Running.Should().Be(1);
                    return await EndAsync(outcome, token);
                });
            }

            (long counted, long overloads, _, long rejected) = limit.Period.Counts.Sum();
            (counted, overloads, rejected, limit.Running).Should().Be((samples, signs, 0, 0));
        }
    }

    [Fact]
    public async Task A_delegate_of_the_users_that_throws_costs_no_call()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddAdaptiveConcurrencyLimit(o => o.IsOverload = _ => throw new FormatException()).Build();
        (await pipeline.TryExecuteAsync(token => EndAsync("broken", token))).Exception.Should().BeOfType<IOException>();
        pipeline.Find<AdaptiveConcurrencyLimit>()!.Running.Should().Be(0);
    }

    [Fact]
    public async Task A_call_without_a_place_is_rejected_by_its_class_and_told_once()
    {
        List<ResilienceEvent> heard = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "search", TimeProvider = _time }
            .AddAdaptiveConcurrencyLimit(o => o.InitialLimit = 10).OnEvent(heard.Add).Build();
        AdaptiveConcurrencyLimit limit = pipeline.Find<AdaptiveConcurrencyLimit>()!;
        for (int i = 0; i < 7; i++) limit.TryEnter(Criticality.CriticalPlus).Should().NotBeNull();
        Outcome<int> rejected = await pipeline.TryExecuteAsync<int, int>(new CallOptions { Criticality = Criticality.Sheddable }, (_, _) => new(1), 0);
        AdaptiveLimitRejection why = rejected.Rejection.Should().BeOfType<AdaptiveLimitRejection>().Subject;
        (rejected.Verdict, why.Why, why.Criticality, why.PipelineName)
            .Should().Be((Verdict.Rejected, AdaptiveLimitReason.NoPlace, Criticality.Sheddable, "search"));
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(2))).Value.Should().Be(2, "its class has a larger share");
        AdaptiveLimitReached told = heard.Should().ContainSingle().Which.Should().BeOfType<AdaptiveLimitReached>().Subject;
        told.Rejection.Should().BeSameAs(why);
    }

    [Fact]
    public async Task A_call_waits_no_longer_than_its_deadline_and_goes_on_when_it_is_let_in()
    {
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddAdaptiveConcurrencyLimit(o => (o.InitialLimit, o.MaxLimit, o.MaxQueued) = (1, 1, 5)).Build();
        TaskCompletionSource<int> hold = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<int> holder = pipeline.ExecuteAsync(_ => hold.Task).AsTask();
        Task<Outcome<int>> late = pipeline.TryExecuteAsync(
            new CallOptions { Deadline = TimeSpan.FromMilliseconds(300) }, (_, _) => new ValueTask<int>(1), 0).AsTask();
        time.Advance(TimeSpan.FromMilliseconds(300));
        (await late.WaitAsync(TimeSpan.FromSeconds(60))).Rejection.Should().BeOfType<AdaptiveLimitRejection>()
            .Which.Why.Should().Be(AdaptiveLimitReason.WaitedTooLong);
        using CancellationTokenSource caller = new();
        Task<Outcome<int>> cancelled = pipeline.TryExecuteAsync(_ => new ValueTask<int>(1), caller.Token).AsTask();
        await caller.CancelAsync();
        (await cancelled.WaitAsync(TimeSpan.FromSeconds(60))).Verdict.Should().Be(Verdict.Ignored);
        Task<Outcome<int>> lucky = pipeline.TryExecuteAsync(_ => new ValueTask<int>(5)).AsTask();
        hold.SetResult(4);
        (await holder).Should().Be(4);
        (await lucky.WaitAsync(TimeSpan.FromSeconds(60))).Value.Should().Be(5);
        pipeline.Find<AdaptiveConcurrencyLimit>()!.Running.Should().Be(0);
    }

    /// <summary>The latency ends with the headers; the place with the body.</summary>
    [Fact]
    public async Task A_result_that_is_still_in_use_keeps_its_place_and_not_its_latency()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }.AddAdaptiveConcurrencyLimit(_limit).Build();
        PlaceHold hold = new();
        await pipeline.ExecuteAsync<PlaceHold, int>(
            default,
            (context, body) =>
            {
                context.Set(PlaceHold.Property, body);
                _time.Advance(TimeSpan.FromMilliseconds(20));
                return new(1);
            },
            hold);
        _limit.Running.Should().Be(1);
        (long samples, _, _, _) = _limit.Period.Counts.Sum();
        samples.Should().Be(1);
        _time.Advance(TimeSpan.FromSeconds(10));
        hold.Dispose();
        hold.Dispose();
        _limit.Running.Should().Be(0);
        TimeSpan.FromTicks((long)_limit.Period.Counts.Median(1)).TotalMilliseconds.Should().BeInRange(19, 21);
    }

    [Fact]
    public async Task Large_changes_and_bounds_are_told_and_probes_are_not()
    {
        List<LimitAdapted> heard = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "search", TimeProvider = _time }
            .AddAdaptiveConcurrencyLimit(o => (o.InitialLimit, o.MinLimit, o.MaxLimit) = (10, 5, 40))
            .OnEvent(e => heard.AddRange(new[] { e }.OfType<LimitAdapted>())).Build();
        AdaptiveConcurrencyLimit limit = pipeline.Find<AdaptiveConcurrencyLimit>()!;
        await WindowAsync(pipeline, isOverloaded: false);
        await WindowAsync(pipeline, isOverloaded: true);
        await WindowAsync(pipeline, isOverloaded: true);
        for (int i = 0; i < 20; i++) await WindowAsync(pipeline, isOverloaded: true);
        heard.Select(h => (h.From, h.To)).Should().StartWith([(10, 20), (20, 16)]).And.EndWith((6, 5));
        heard.Count(h => h.IsAtFloor).Should().Be(1, "it is told once that the bound is reached");
        heard[0].GetMessage().ToString().Should().Contain("limit adapted from 10 to 20");
        limit.Limit.Should().Be(5);
    }

    /// <summary>A window in which the limit is reached.</summary>
    private async Task WindowAsync(ResiliencePipeline pipeline, bool isOverloaded)
    {
        AdaptiveConcurrencyLimit limit = pipeline.Find<AdaptiveConcurrencyLimit>()!;
        List<LimitPermit> held = [];
        while (limit.TryEnter(Criticality.CriticalPlus) is { } permit) held.Add(permit);
        foreach (LimitPermit permit in held) limit.Leave(permit, Verdict.Ignored);
        for (int i = 0; i < 10; i++)
        {
            await pipeline.TryExecuteAsync(token =>
            {
                _time.Advance(TimeSpan.FromMilliseconds(100));
                return EndAsync(isOverloaded ? "503" : "success", token);
            });
        }
    }

    [Fact]
    public void An_update_keeps_the_limit_of_the_policy_with_its_name_and_what_it_has_learnt()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "search" }.AddAdaptiveConcurrencyLimit(o => o.InitialLimit = 30).Build();
        AdaptiveConcurrencyLimit limit = pipeline.Find<AdaptiveConcurrencyLimit>()!;
        pipeline.Update(new ResiliencePipelineBuilder { Name = "search" }.AddAdaptiveConcurrencyLimit(o => o.MaxLimit = 25));
        pipeline.Find<AdaptiveConcurrencyLimit>().Should().BeSameAs(limit);
        limit.Limit.Should().Be(20, "nothing has been learnt yet");
        pipeline.Describe().ToString().Should().Contain("between 1 and 25");
    }

    [Theory]
    [InlineData(true, "RES006", "RES019")]
    [InlineData(false)]
    public void A_limit_outside_the_retry_is_found(bool isOutside, params string[] codes)
    {
        ResiliencePipelineBuilder builder = new();
        if (isOutside) builder.AddAdaptiveConcurrencyLimit().AddRetry();
        else builder.AddTimeout(TimeSpan.FromSeconds(30)).AddRetry().AddAdaptiveConcurrencyLimit();
        builder.Build().Warnings.Select(w => w.Code).Should().Equal(codes);
    }

    [Theory]
    [InlineData(LimitAlgorithm.Gradient, "RES017")]
    [InlineData(LimitAlgorithm.Signals)]
    public void A_limit_that_learns_from_latency_is_found_in_a_client(LimitAlgorithm algorithm, params string[] codes)
    {
        ResiliencePipelineBuilder<HttpResponseMessage> client = new();
        client.AddAdaptiveConcurrencyLimit(o => o.Algorithm = algorithm);
        client.Build().Warnings.Select(w => w.Code).Should().Equal(codes);
        ResiliencePipelineBuilder<string> other = new();
        other.AddAdaptiveConcurrencyLimit(o => o.Algorithm = algorithm);
        other.Build().Warnings.Should().BeEmpty();
    }

    [Theory]
    [InlineData(true, true, "RES018", "RES018")]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void A_breaker_that_counts_what_shows_overload_is_found(bool hasBreaker, bool counts, params string[] codes)
    {
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder().AddAdaptiveThrottle();
        if (hasBreaker) builder.AddCircuitBreaker();
        builder.AddAdaptiveConcurrencyLimit();
        if (counts) builder.Classify(r => r.On<HttpRequestException>(Verdict.Failure));
        builder.Build().Warnings.Select(w => w.Code).Should().Equal(codes);
    }

    [Fact]
    public void A_call_through_a_pipeline_allocates_nothing()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .AddAdaptiveConcurrencyLimit(new AdaptiveConcurrencyLimitOptions { InitialLimit = 1, MaxLimit = 1 }).Build();
        AdaptiveConcurrencyLimit limit = pipeline.Find<AdaptiveConcurrencyLimit>()!;
        Allocation.Allocated.BytesPerRun(() =>
        {
            if (!pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1)).IsCompletedSuccessfully) throw new InvalidOperationException();
            LimitPermit held = limit.TryEnter()!.Value;
            if (!pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1)).IsCompletedSuccessfully) throw new InvalidOperationException();
            limit.Leave(held, Verdict.Success);
        }).Should().Be(0);
    }
}
