using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.ChaosPolicies;

/// <summary>What chaos does to calls.</summary>
public sealed class ChaosPolicyTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private static ValueTask<int> One(CancellationToken ct) => new(1);

    private ResiliencePipelineBuilder Builder() => new ResiliencePipelineBuilder { Name = "rehearsed", TimeProvider = _time, EnvironmentName = "Development" }
        .OnEvent(e => { lock (_events) _events.Add(e); });

    private ResiliencePipeline With(Action<ChaosOptions> configure) => Builder().AddChaos(o =>
    {
        (o.IsOn, o.Seed) = (true, 1);
        configure(o);
    }).Build();

    private ChaosInjected[] Injected() => [.. _events.OfType<ChaosInjected>()];

    [Fact]
    public async Task Off_is_the_default_and_leaves_calls_alone()
    {
        ResiliencePipeline pipeline = Builder().AddChaos(o => o.Rates = new() { Fault = 1 }).Build();
        (await pipeline.ExecuteAsync(One)).Should().Be(1);
        _events.Should().BeEmpty();
        pipeline.Find<ChaosSwitch>()!.IsOn.Should().BeFalse();
    }

    [Fact]
    public async Task A_fault_takes_the_place_of_the_call_and_is_a_failure()
    {
        ResiliencePipeline pipeline = With(o => o.Rates = new() { Fault = 1 });
        Outcome<int> outcome = await pipeline.TryExecuteAsync<int>(_ => throw new InvalidOperationException("the delegate is not reached"));
        outcome.Verdict.Should().Be(Verdict.Failure);
        outcome.Exception.Should().BeOfType<ChaosInjectedException>()
            .Which.Should().Match<ChaosInjectedException>(e => e.Kind == ChaosKind.Fault && e.PolicyName == "chaos");
        Injected().Should().Equal(new ChaosInjected("rehearsed", "chaos", ChaosKind.Fault, 0, null, 0));
    }

    [Fact]
    public async Task Faults_of_the_user_are_judged_by_the_classifier_and_can_be_told_apart()
    {
        Exception own = new TimeoutException();
        ResiliencePipeline pipeline = Builder().Classify(c => c.On<TimeoutException>(Verdict.Ignored))
            .AddChaos(o => (o.IsOn, o.Rates, o.Fault) = (true, new() { Fault = 1 }, _ => own)).Build();
        Outcome<int> outcome = await pipeline.TryExecuteAsync(One);
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeSameAs(own);
        ChaosInjectedException.IsInjected(own).Should().BeTrue();
        ChaosInjectedException.IsInjected(new TimeoutException()).Should().BeFalse();
    }

    [Fact]
    public async Task A_fault_factory_may_decline_and_one_that_throws_means_the_default()
    {
        (await With(o => (o.Rates, o.Fault) = (new() { Fault = 1 }, _ => null)).ExecuteAsync(One)).Should().Be(1);
        Injected().Should().BeEmpty();
        Outcome<int> outcome = await With(o => (o.Rates, o.Fault) = (new() { Fault = 1 }, _ => throw new NotSupportedException())).TryExecuteAsync(One);
        outcome.Exception.Should().BeOfType<ChaosInjectedException>();
    }

    [Fact]
    public async Task A_retry_outside_heals_what_is_injected()
    {
        int asked = 0;
        ResiliencePipeline pipeline = Builder().AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero))
            .AddChaos(o => (o.IsOn, o.Rates, o.Fault) = (true, new() { Fault = 1 }, _ => asked++ < 2 ? new IOException() : null)).Build();
        (await pipeline.ExecuteAsync(One)).Should().Be(1);
        Injected().Select(i => i.Attempt).Should().Equal(0, 1);
    }

    [Fact]
    public async Task A_latency_delays_the_call_on_the_pipelines_clock()
    {
        ResiliencePipeline pipeline = With(o => (o.Rates, o.Latency) = (new() { Latency = 1 }, TimeSpan.FromSeconds(3)));
        bool reached = false;
        Task<int> call = pipeline.ExecuteAsync(_ => { reached = true; return new ValueTask<int>(1); }).AsTask();
        _time.Advance(TimeSpan.FromSeconds(2.9));
        (call.IsCompleted, reached).Should().Be((false, false));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        (await call.WaitAsync(TimeSpan.FromSeconds(30))).Should().Be(1);
        Injected().Should().ContainSingle().Which.Latency.Should().Be(TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task A_latency_that_outlasts_a_timeout_is_ended_by_it_and_one_whose_caller_leaves_by_the_caller()
    {
        ResiliencePipeline pipeline = Builder().AddTimeout(TimeSpan.FromSeconds(1))
            .AddChaos(o => (o.IsOn, o.Rates, o.Latency) = (true, new() { Latency = 1 }, TimeSpan.FromHours(1))).Build();
        Task<Outcome<int>> late = pipeline.TryExecuteAsync(One).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));
        Outcome<int> timedOut = await late.WaitAsync(TimeSpan.FromSeconds(30));
        timedOut.Verdict.Should().Be(Verdict.Failure);
        timedOut.Exception.Should().BeOfType<TimedOutException>();

        using CancellationTokenSource caller = new();
        Task<Outcome<int>> left = pipeline.TryExecuteAsync(One, caller.Token).AsTask();
        await caller.CancelAsync();
        (await left.WaitAsync(TimeSpan.FromSeconds(30))).Verdict.Should().Be(Verdict.Ignored);
    }

    [Fact]
    public async Task Latencies_are_spread_over_their_range()
    {
        ResiliencePipeline pipeline = With(o =>
            (o.Rates, o.Latency, o.MaxLatency) = (new() { Latency = 1 }, TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(200)));
        List<Task<int>> calls = [.. Enumerable.Range(0, 50).Select(_ => pipeline.ExecuteAsync(One).AsTask())];
        _time.Advance(TimeSpan.FromMilliseconds(200));
        await Task.WhenAll(calls).WaitAsync(TimeSpan.FromSeconds(30));
        TimeSpan[] spans = [.. Injected().Select(i => i.Latency!.Value)];
        spans.Should().OnlyContain(s => s >= TimeSpan.FromMilliseconds(100) && s <= TimeSpan.FromMilliseconds(200));
        spans.Distinct().Should().HaveCountGreaterThan(40);
    }

    [Fact]
    public async Task A_result_is_given_to_calls_of_its_type_and_judged_like_a_real_one()
    {
        ResiliencePipeline pipeline = Builder().Classify(c => c.OnResult<string>(s => s == "bad" ? Verdict.Failure : null))
            .AddChaos(o => { o.IsOn = true; o.Rates = new() { Result = 1 }; o.Result("bad"); }).Build();
        Outcome<string> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<string>("good"));
        (outcome.Verdict, outcome.Value).Should().Be((Verdict.Failure, "bad"));
        (await pipeline.ExecuteAsync(One)).Should().Be(1, "nothing is registered for int");
        await pipeline.ExecuteAsync(_ => default(ValueTask));
        Injected().Select(i => i.Kind).Should().Equal(ChaosKind.Result);
    }

    [Fact]
    public async Task A_typed_pipeline_has_chaos_too()
    {
        ResiliencePipeline<int> pipeline = new ResiliencePipelineBuilder<int> { EnvironmentName = "Staging" }.AddFallback(o => o.Value = 7)
            .AddChaos(o => (o.IsOn, o.Rates) = (true, new() { Fault = 1 })).Build();
        (await pipeline.ExecuteAsync(One)).Should().Be(7);
    }

    private sealed class Reply : IDisposable
    {
        public bool IsDisposed { get; private set; }

        public void Dispose() => IsDisposed = true;
    }

    [Fact]
    public async Task A_lost_reply_does_the_operation_and_throws_the_result_away()
    {
        ResiliencePipeline pipeline = With(o => o.Rates = new() { LostReply = 1 });
        Reply reply = new();
        Outcome<Reply> outcome = await pipeline.TryExecuteAsync(async _ =>
        {
            await Task.Yield();
            return reply;
        });
        outcome.Verdict.Should().Be(Verdict.Failure);
        outcome.Exception.Should().BeOfType<ChaosInjectedException>().Which.Kind.Should().Be(ChaosKind.LostReply);
        reply.IsDisposed.Should().BeTrue();
        int operations = 0;
        await pipeline.Invoking(p => p.ExecuteAsync(_ => { operations++; return default(ValueTask); }).AsTask()).Should().ThrowAsync<ChaosInjectedException>();
        operations.Should().Be(1);
    }

    [Fact]
    public async Task Where_the_call_fails_there_is_no_reply_to_lose()
    {
        ResiliencePipeline pipeline = With(o => o.Rates = new() { LostReply = 1 });
        (await pipeline.TryExecuteAsync<int>(_ => throw new IOException())).Exception.Should().BeOfType<IOException>();
        Injected().Should().BeEmpty();
    }

    [Fact]
    public async Task Behaviour_runs_before_latency_and_the_call_and_what_it_throws_is_the_outcome()
    {
        List<string> did = [];
        ResiliencePipeline pipeline = With(o =>
        {
            o.Rates = new() { Behaviour = 1, Latency = 1, LostReply = 1 };
            o.Behaviour = _ => { did.Add("behaviour"); return default; };
        });
        Task<Outcome<int>> call = pipeline.TryExecuteAsync(_ => { did.Add("call"); return new ValueTask<int>(1); }).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));
        await call.WaitAsync(TimeSpan.FromSeconds(30));
        did.Should().Equal("behaviour", "call");
        Injected().Select(i => (i.Kind, i.Number)).Should().Equal((ChaosKind.Behaviour, 0), (ChaosKind.Latency, 0), (ChaosKind.LostReply, 0));

        ResiliencePipeline throws = With(o => (o.Rates, o.Behaviour) = (new() { Behaviour = 1 }, _ => throw new IOException("dropped")));
        Outcome<int> outcome = await throws.TryExecuteAsync(One);
        (outcome.Verdict, outcome.Exception!.Message).Should().Be((Verdict.Failure, "dropped"));
    }

    [Fact]
    public async Task The_filter_says_which_calls_are_disturbed_and_numbered()
    {
        ResiliencePipeline pipeline = With(o => (o.Rates, o.Filter) = (new() { Fault = 1 }, c => c.Operation == "charge"));
        for (int i = 0; i < 2; i++)
        {
            (await pipeline.TryExecuteAsync(new("refund"), (_, _) => new ValueTask<int>(1), 0)).IsSuccess.Should().BeTrue();
            (await pipeline.TryExecuteAsync(new("charge"), (_, _) => new ValueTask<int>(1), 0)).IsSuccess.Should().BeFalse();
        }

        Injected().Select(i => (i.Number, i.Operation)).Should().Equal((0, "charge"), (1, "charge"));
        (await With(o => (o.Rates, o.Filter) = (new() { Fault = 1 }, _ => throw new IOException())).ExecuteAsync(One)).Should().Be(1);
    }

    [Fact]
    public async Task The_same_seed_repeats_the_run_however_many_callers_there_are()
    {
        long[] alone = await Disturbed(1), crowd = await Disturbed(8), other = await Disturbed(1, seed: 2);
        crowd.Order().Should().Equal(alone.Order());
        other.Should().NotEqual(alone);
        alone.Length.Should().BeInRange(40, 160);

        async Task<long[]> Disturbed(int callers, long seed = 1)
        {
            _events.Clear();
            ResiliencePipeline pipeline = With(o => (o.Rates, o.Seed) = (new() { Fault = 0.1 }, seed));
            await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
            {
                for (int i = 0; i < 1000 / callers; i++) await pipeline.TryExecuteAsync(One);
            })));
            return [.. Injected().Select(i => i.Number)];
        }
    }

    [Fact]
    public void A_seed_that_was_drawn_is_reported_and_comes_from_the_pipelines_randomness()
    {
        long[] seeds = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            _events.Clear();
            ResiliencePipelineBuilder builder = Builder();
            builder.Randomness = Randomness.Seeded(5);
            builder.AddChaos(o => o.IsOn = true).Build();
            return _events.OfType<ChaosSwitched>().Single().Seed;
        })];
        seeds[0].Should().Be(seeds[1]).And.NotBe(0);
    }

    [Fact]
    public void All_mistakes_are_reported_at_once()
    {
        ChaosOptions options = new()
        {
            Rates = new() { Fault = 0.6, LostReply = 0.6, Latency = 2, Result = 0, Behaviour = 0.1 },
            Latency = TimeSpan.Zero,
            Schedule = new ChaosSchedule { RepeatEvery = TimeSpan.FromSeconds(1) }
                .Window(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), new() { Result = 1 }).Window(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(1)),
        };
        options.FindProblems().Select(p => p.Option).Should().Equal(
            "Rates.Latency", "Rates", "Rates.Behaviour", "Latency", "Schedule.Windows[1].From", "Schedule.RepeatEvery", "Schedule.Windows[0].Rates.Result");
        new ChaosOptions { Rates = new() { Fault = 0.1, LostReply = 0.9 }, Schedule = new() }.FindProblems().Select(p => p.Option)
            .Should().Equal("Schedule.Windows");
        new ChaosOptions { Rates = new() { Fault = double.NaN } }.FindProblems().Should().ContainSingle();
    }

    [Fact]
    public void It_describes_itself_with_the_state_of_the_switch()
    {
        ResiliencePipeline pipeline = With(o => (o.Rates, o.Schedule) = (
            new() { Fault = 0.1, Latency = 0.2 }, new ChaosSchedule { RepeatEvery = TimeSpan.FromSeconds(60) }.Window(TimeSpan.Zero, TimeSpan.FromSeconds(10))));
        pipeline.Describe().ToString().Should().Contain(
            "chaos: Chaos, switch = on, rates = latency 0.2, fault 0.1, seed = 1, environment = Development, latency = 1 s, schedule = 0 ms to 10 s, every 60 s");
        pipeline.Find<ChaosSwitch>()!.TurnOff();
        pipeline.Describe().ToString().Should().Contain("switch = off");
    }

    [Fact]
    public void Chaos_outside_of_everything_is_found()
    {
        static string[] Codes(ResiliencePipelineBuilder builder) => [.. builder.Build().Warnings.Select(w => w.Code)];
        Codes(Builder().AddChaos(_ => { }).AddRetry()).Should().Equal("RES012");
        Codes(Builder().AddRetry().AddChaos(_ => { }).AddCircuitBreaker()).Should().BeEmpty();
        Codes(Builder().AddConcurrencyLimit(1).AddChaos(_ => { }).AddTimeout(TimeSpan.FromSeconds(1))).Should().Equal("RES012");
        Codes(Builder().AddChaos(_ => { })).Should().BeEmpty();
    }
}
