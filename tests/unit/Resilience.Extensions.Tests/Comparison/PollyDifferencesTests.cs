using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Polly.Telemetry;
using PollyPipeline = Polly.ResiliencePipeline;
using PollyPipelineBuilder = Polly.ResiliencePipelineBuilder;
using PollyTimeout = Polly.Timeout.TimeoutStrategyOptions;

namespace Resilience.Tests.Comparison;

/// <summary>What docs/moving-from-polly.md says of differences, run against both. Each row of the page names one of these tests.</summary>
public sealed class PollyDifferencesTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly WatchedTime _time = new();

    private PollyPipelineBuilder Polly() => new() { TimeProvider = _time };

    private ResiliencePipelineBuilder Ours() => new() { TimeProvider = _time };

    private static CircuitBreakerStrategyOptions PollyBreaker(out CircuitBreakerStateProvider state, int minimum = 2, double ratio = 1) => new()
    {
        FailureRatio = ratio,
        MinimumThroughput = minimum,
        SamplingDuration = TimeSpan.FromSeconds(10),
        BreakDuration = TimeSpan.FromSeconds(5),
        StateProvider = state = new(),
    };

    private CircuitBreaker OurBreaker(Action<CircuitBreakerOptions>? configure = null)
    {
        CircuitBreakerOptions options = new() { FailureRatio = 1, MinimumCalls = 2, SamplingDuration = TimeSpan.FromSeconds(10), BreakJitter = 0 };
        configure?.Invoke(options);
        return new(options, _time);
    }

    private static ValueTask Fail(CancellationToken token) => throw new IOException();

    private static ValueTask Succeed(CancellationToken token) => default;

    private static async Task<Exception?> CatchAsync(Func<ValueTask> call)
    {
        try
        {
            await call();
            return null;
        }
        catch (Exception error)
        {
            return error;
        }
    }

    /// <summary>What opens the circuits of <see cref="PollyBreaker"/> and <see cref="OurBreaker"/>.</summary>
    private static async Task FailTwiceAsync(PollyPipeline there, ResiliencePipeline here)
    {
        for (int i = 0; i < 2; i++)
        {
            await RunAsync(there, Fail);
            await RunAsync(here, Fail);
        }
    }

    private static Task<Exception?> RunAsync(PollyPipeline pipeline, Func<CancellationToken, ValueTask> call, CancellationToken token = default) =>
        CatchAsync(() => pipeline.ExecuteAsync(call, token));

    private static Task<Exception?> RunAsync(ResiliencePipeline pipeline, Func<CancellationToken, ValueTask> call, CancellationToken token = default) =>
        CatchAsync(() => pipeline.ExecuteAsync(call, token));

    [Fact]
    public async Task Polly_retries_what_its_breaker_rejected_and_we_return_it()
    {
        int retriesThere = 0, retriesHere = 0;
        PollyPipeline there = Polly().AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero, OnRetry = _ => { retriesThere++; return default; } })
            .AddCircuitBreaker(PollyBreaker(out _)).Build();
        CircuitBreaker breaker = OurBreaker();
        ResiliencePipeline here = Ours().AddRetry(o => (o.BaseDelay, o.OnRetry) = (TimeSpan.Zero, (_, _) => retriesHere++)).AddCircuitBreaker(breaker).Build();
        await RunAsync(there, Fail);
        await RunAsync(here, Fail);
        (retriesThere, retriesHere) = (0, 0);
        (await RunAsync(there, Succeed)).Should().BeOfType<BrokenCircuitException>();
        (await RunAsync(here, Succeed)).Should().BeOfType<CircuitOpenException>();
        (retriesThere, retriesHere).Should().Be((3, 0));
    }

    [Fact]
    public async Task Polly_lets_a_late_result_close_the_circuit_and_here_it_is_stale()
    {
        TaskCompletionSource late = new(), probe = new();
        PollyPipeline there = Polly().AddCircuitBreaker(PollyBreaker(out CircuitBreakerStateProvider state)).Build();
        CircuitBreaker breaker = OurBreaker();
        ResiliencePipeline here = Ours().AddCircuitBreaker(breaker).Build();
        Task lateThere = there.ExecuteAsync(_ => new ValueTask(late.Task)).AsTask(), lateHere = here.ExecuteAsync(_ => new ValueTask(late.Task)).AsTask();
        await FailTwiceAsync(there, here);

        (state.CircuitState, breaker.State).Should().Be((global::Polly.CircuitBreaker.CircuitState.Open, CircuitState.Open));
        _time.Advance(TimeSpan.FromSeconds(5));
        Task probeThere = there.ExecuteAsync(_ => new ValueTask(probe.Task)).AsTask(), probeHere = here.ExecuteAsync(_ => new ValueTask(probe.Task)).AsTask();
        late.SetResult();
        await Task.WhenAll(lateThere, lateHere).WaitAsync(Patience);
        state.CircuitState.Should().Be(global::Polly.CircuitBreaker.CircuitState.Closed);
        breaker.State.Should().Be(CircuitState.HalfOpen);
        probe.SetResult();
        await Task.WhenAll(probeThere, probeHere).WaitAsync(Patience);
    }

    [Fact]
    public async Task Polly_closes_on_a_cancelled_probe_and_we_decide_nothing()
    {
        PollyPipeline there = Polly().AddCircuitBreaker(PollyBreaker(out CircuitBreakerStateProvider state)).Build();
        CircuitBreaker breaker = OurBreaker();
        ResiliencePipeline here = Ours().AddCircuitBreaker(breaker).Build();
        await FailTwiceAsync(there, here);

        _time.Advance(TimeSpan.FromSeconds(5));
        using CancellationTokenSource source = new();
        Func<CancellationToken, ValueTask> cancelled = async token =>
        {
            await source.CancelAsync();
            token.ThrowIfCancellationRequested();
        };
        await RunAsync(there, cancelled, source.Token);
        using CancellationTokenSource other = new();
        await RunAsync(here, async token => { await other.CancelAsync(); token.ThrowIfCancellationRequested(); }, other.Token);
        state.CircuitState.Should().Be(global::Polly.CircuitBreaker.CircuitState.Closed);
        breaker.State.Should().Be(CircuitState.HalfOpen);
    }

    [Fact]
    public async Task Polly_waits_for_a_probe_that_hangs_and_we_give_it_up()
    {
        TaskCompletionSource hung = new();
        PollyPipeline there = Polly().AddCircuitBreaker(PollyBreaker(out _)).Build();
        CircuitBreaker breaker = OurBreaker();
        ResiliencePipeline here = Ours().AddCircuitBreaker(breaker).Build();
        await FailTwiceAsync(there, here);

        _time.Advance(TimeSpan.FromSeconds(5));
        Task one = there.ExecuteAsync(_ => new ValueTask(hung.Task)).AsTask(), two = here.ExecuteAsync(_ => new ValueTask(hung.Task)).AsTask();
        _time.Advance(TimeSpan.FromSeconds(31));
        (await RunAsync(there, Succeed)).Should().BeOfType<BrokenCircuitException>();
        (await RunAsync(here, Succeed)).Should().BeNull();
        hung.SetResult();
        await Task.WhenAll(one, two).WaitAsync(Patience);
    }

    [Fact]
    public async Task Polly_reads_open_until_a_call_comes_and_we_read_half_open()
    {
        PollyPipeline there = Polly().AddCircuitBreaker(PollyBreaker(out CircuitBreakerStateProvider state)).Build();
        CircuitBreaker breaker = OurBreaker();
        ResiliencePipeline here = Ours().AddCircuitBreaker(breaker).Build();
        await FailTwiceAsync(there, here);

        _time.Advance(TimeSpan.FromSeconds(6));
        state.CircuitState.Should().Be(global::Polly.CircuitBreaker.CircuitState.Open);
        breaker.State.Should().Be(CircuitState.HalfOpen);
    }

    [Fact]
    public async Task Polly_measures_its_break_by_the_time_of_day_and_we_do_not()
    {
        PollyPipeline there = Polly().AddCircuitBreaker(PollyBreaker(out _)).Build();
        CircuitBreaker breaker = OurBreaker();
        ResiliencePipeline here = Ours().AddCircuitBreaker(breaker).Build();
        await FailTwiceAsync(there, here);

        _time.WallClockStep = TimeSpan.FromHours(1); // the clock is set, no time passes
        (await RunAsync(there, Succeed)).Should().BeNull("the break is over for it");
        (await RunAsync(here, Succeed)).Should().BeOfType<CircuitOpenException>();
    }

    [Fact]
    public async Task Polly_cuts_jitter_off_at_the_maximum_and_ours_stays_spread()
    {
        HashSet<TimeSpan> there = [], here = [];
        PollyPipeline polly = new PollyPipelineBuilder { TimeProvider = new InstantTime() }.AddRetry(new RetryStrategyOptions
        {
            MaxRetryAttempts = 12,
            Delay = Second,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            MaxDelay = Second * 2,
            OnRetry = a => { if (a.AttemptNumber > 6) there.Add(a.RetryDelay); return default; },
        }).Build();
        ResiliencePipeline ours = new ResiliencePipelineBuilder { TimeProvider = new InstantTime() }.AddRetry(o =>
        {
            (o.MaxRetries, o.BaseDelay, o.MaxDelay, o.Budget) = (12, Second, Second * 2, RetryBudget.Unlimited);
            o.OnRetry = (a, delay) => { if (a.Number > 6) here.Add(delay); };
        }).Build();
        for (int i = 0; i < 5; i++)
        {
            await RunAsync(polly, Fail).WaitAsync(Patience);
            await RunAsync(ours, Fail).WaitAsync(Patience);
        }

        there.Should().Contain(Second * 2).And.HaveCountLessThan(10, "most of the draws beyond the maximum are the maximum");
        here.Should().HaveCountGreaterThan(20).And.OnlyContain(d => d <= Second * 2);
    }

    [Fact]
    public async Task Polly_retries_every_call_three_times_and_our_budget_does_not()
    {
        int there = 0, here = 0;
        PollyPipeline polly = Polly().AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero }).Build();
        ResiliencePipeline ours = Ours().AddRetry(o => o.BaseDelay = TimeSpan.Zero).Build();
        for (int i = 0; i < 1000; i++)
        {
            await RunAsync(polly, _ => { there++; throw new IOException(); });
            await RunAsync(ours, _ => { here++; throw new IOException(); });
        }

        there.Should().Be(4000);
        here.Should().BeInRange(1000, 1400);
    }

    [Fact]
    public async Task Polly_waits_beyond_its_total_and_we_return_the_failure_now()
    {
        PollyPipeline polly = Polly().AddTimeout(new PollyTimeout { Timeout = Second }).AddRetry(new RetryStrategyOptions { Delay = Second * 2 }).Build();
        ResiliencePipeline ours = Ours().AddTimeout(Second).AddRetry(o => (o.BaseDelay, o.Jitter) = (Second * 2, BackoffJitter.None)).Build();
        Task<Exception?> there = RunAsync(polly, Fail), here = RunAsync(ours, Fail);
        (await here.WaitAsync(Patience)).Should().BeOfType<IOException>();
        there.IsCompleted.Should().BeFalse();
        _time.Advance(Second);
        (await there.WaitAsync(Patience)).Should().BeOfType<Polly.Timeout.TimeoutRejectedException>();
    }

    [Fact]
    public async Task Polly_retries_errors_of_the_program_and_we_do_not()
    {
        int there = 0, here = 0;
        await RunAsync(Polly().AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero }).Build(), _ => { there++; throw new ArgumentNullException(); });
        await RunAsync(Ours().AddRetry(o => o.BaseDelay = TimeSpan.Zero).Build(), _ => { here++; throw new ArgumentNullException(); });
        (there, here).Should().Be((4, 1));
    }

    [Fact]
    public async Task Polly_ends_with_a_rejection_and_we_with_a_timeout_exception()
    {
        Task<Exception?> there = RunAsync(Polly().AddTimeout(Second).Build(), async token => await Task.Delay(Timeout.Infinite, token));
        Task<Exception?> here = RunAsync(Ours().AddTimeout(Second).Build(), async token => await Task.Delay(Timeout.Infinite, token));
        _time.Advance(Second * 2);
        (await there.WaitAsync(Patience)).Should().BeAssignableTo<ExecutionRejectedException>().And.NotBeAssignableTo<TimeoutException>();
        (await here.WaitAsync(Patience)).Should().BeAssignableTo<TimeoutException>().And.NotBeAssignableTo<ResilienceException>();
    }

    [Fact]
    public async Task Late_successes_are_returned_by_both()
    {
        TaskCompletionSource<int> there = new(), here = new();
        Task<int> polly = Polly().AddTimeout(Second).Build().ExecuteAsync(_ => new ValueTask<int>(there.Task)).AsTask();
        Task<int> ours = Ours().AddTimeout(Second).Build().ExecuteAsync(_ => new ValueTask<int>(here.Task)).AsTask();
        _time.Advance(Second * 2);
        there.SetResult(1);
        here.SetResult(2);
        (await polly.WaitAsync(Patience), await ours.WaitAsync(Patience)).Should().Be((1, 2));
    }

    [Fact]
    public async Task Polly_hedges_every_slow_call_and_our_budget_does_not()
    {
        int there = 0, here = 0;
        Polly.ResiliencePipeline<int> polly = new Polly.ResiliencePipelineBuilder<int> { TimeProvider = _time }
            .AddHedging(new Polly.Hedging.HedgingStrategyOptions<int> { Delay = TimeSpan.Zero, MaxHedgedAttempts = 1 }).Build();
        ResiliencePipeline ours = Ours().AddHedging(o => o.Delay = TimeSpan.Zero).Build();
        for (int i = 0; i < 500; i++)
        {
            await polly.ExecuteAsync<int>(async _ => { Interlocked.Increment(ref there); await Task.Yield(); throw new IOException(); }).AsTask()
                .ContinueWith(_ => { }, TaskScheduler.Default);
            await ours.TryExecuteAsync<int>(async _ => { Interlocked.Increment(ref here); await Task.Yield(); throw new IOException(); });
        }

        there.Should().Be(1000);
        here.Should().BeLessThan(750);
    }

    [Fact]
    public void Polly_builds_any_order_and_ours_is_checked()
    {
        Polly().AddCircuitBreaker(PollyBreaker(out _)).AddRetry(new RetryStrategyOptions()).Build().Should().NotBeNull();
        Ours().AddCircuitBreaker().AddRetry().Build().Warnings.Should().ContainSingle().Which.Code.Should().Be("RES002");
    }

    [Fact]
    public async Task Our_window_remembers_up_to_one_bucket_longer()
    {
        PollyPipeline there = Polly().AddCircuitBreaker(PollyBreaker(out CircuitBreakerStateProvider state)).Build();
        CircuitBreaker breaker = OurBreaker();
        ResiliencePipeline here = Ours().AddCircuitBreaker(breaker).Build();
        await RunAsync(there, Fail);
        await RunAsync(here, Fail);
        _time.Advance(TimeSpan.FromSeconds(10.5));
        await RunAsync(there, Fail);
        await RunAsync(here, Fail);
        state.CircuitState.Should().Be(global::Polly.CircuitBreaker.CircuitState.Closed, "the first failure is forgotten after ten seconds");
        breaker.State.Should().Be(CircuitState.Open, "the bucket of the first failure is still there");
    }

    [Fact]
    public async Task Polly_gives_the_failure_that_opened_the_circuit_with_each_rejection_and_we_keep_none()
    {
        PollyPipeline there = Polly().AddCircuitBreaker(PollyBreaker(out _)).Build();
        ResiliencePipeline here = Ours().AddCircuitBreaker(OurBreaker()).Build();
        await FailTwiceAsync(there, here);

        (await RunAsync(there, Succeed))!.InnerException.Should().BeOfType<IOException>();
        Exception rejected = (await RunAsync(here, Succeed))!;
        rejected.InnerException.Should().BeNull();
        rejected.Message.Should().Contain("open");
    }

    [Fact]
    public async Task Polly_forgets_the_growth_of_the_break_when_it_closes_and_ours_decays()
    {
        List<TimeSpan> breaksThere = [], breaksHere = [];
        CircuitBreakerStrategyOptions options = PollyBreaker(out _);
        options.BreakDurationGenerator = a =>
        {
            TimeSpan span = Second * (a.HalfOpenAttempts + 1);
            breaksThere.Add(span);
            return new(span);
        };
        PollyPipeline there = Polly().AddCircuitBreaker(options).Build();
        CircuitBreaker breaker = OurBreaker(o => (o.BreakDuration, o.BreakGrowth) = (Second, 2));
        ResiliencePipeline here = Ours().AddCircuitBreaker(breaker).Build();
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < 2; i++)
            {
                await RunAsync(there, Fail);
                await RunAsync(here, Fail);
            }

            breaksHere.Add(breaker.TakeSnapshot().RetryAfter!.Value);
            _time.Advance(Second * 2);
            await RunAsync(there, Succeed);
            await RunAsync(here, Succeed);
            breaker.State.Should().Be(CircuitState.Closed);
        }

        breaksThere.Should().Equal(Second, Second);
        breaksHere.Should().Equal(Second, Second * 2);
    }

    [Fact]
    public async Task Polly_counts_what_is_not_handled_as_health_and_we_do_not_count_it()
    {
        CircuitBreakerStrategyOptions options = PollyBreaker(out CircuitBreakerStateProvider state, minimum: 4, ratio: 0.9);
        options.ShouldHandle = new PredicateBuilder().Handle<IOException>();
        PollyPipeline there = Polly().AddCircuitBreaker(options).Build();
        CircuitBreaker breaker = OurBreaker(o => (o.MinimumCalls, o.FailureRatio) = (4, 0.9));
        ResiliencePipeline here = Ours().AddCircuitBreaker(breaker).Build();
        for (int i = 0; i < 6; i++)
        {
            await RunAsync(there, _ => throw new ArgumentException("ours"));
            await RunAsync(here, _ => throw new ArgumentException("ours"));
        }

        for (int i = 0; i < 4; i++)
        {
            await RunAsync(there, Fail);
            await RunAsync(here, Fail);
        }

        state.CircuitState.Should().Be(global::Polly.CircuitBreaker.CircuitState.Closed, "4 of 10 failed");
        breaker.State.Should().Be(CircuitState.Open, "4 of 4 failed");
    }

    [Fact]
    public void Polly_cuts_a_delay_beyond_its_maximum_and_we_reject_the_options()
    {
        Polly().AddRetry(new RetryStrategyOptions { Delay = Second * 9, MaxDelay = Second }).Build().Should().NotBeNull();
        Ours().AddRetry(o => (o.BackoffKind, o.BaseDelay, o.MaxDelay) = (BackoffKind.Constant, Second * 9, Second))
            .Invoking(b => b.Build()).Should().Throw<ResilienceOptionsException>().WithMessage("*MaxDelay*");
    }

    [Fact]
    public async Task Polly_waits_for_as_long_as_its_generator_says_and_we_at_most_a_day()
    {
        PollyPipeline there = Polly().AddRetry(new RetryStrategyOptions { DelayGenerator = _ => new(TimeSpan.FromDays(3)) }).Build();
        using CancellationTokenSource leave = new();
        Task<Exception?> waiting = RunAsync(there, Fail, leave.Token);
        _time.Advance(TimeSpan.FromDays(2));
        waiting.IsCompleted.Should().BeFalse();
        await leave.CancelAsync();
        await waiting.WaitAsync(Patience);

        new RetryOptions { MaxRetryAfter = TimeSpan.FromDays(3) }.FindProblems().Should().ContainSingle().Which.Option.Should().Be("MaxRetryAfter");
        ResiliencePipeline here = Ours().AddRetry(o => (o.RetryAfter, o.MaxRetryAfter) = (_ => TimeSpan.FromDays(3), TimeSpan.FromDays(1))).Build();
        (await RunAsync(here, Fail).WaitAsync(Patience)).Should().BeOfType<IOException>("it gives up at once");
    }

    [Fact]
    public async Task Polly_tells_a_timeout_and_an_open_circuit_as_errors_and_we_tell_changes_and_retries_as_warnings()
    {
        Levels levels = new();
        PollyPipelineBuilder builder = Polly();
        builder.TelemetryListener = levels;
        PollyPipeline there = builder.AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero, MaxRetryAttempts = 1 }).AddCircuitBreaker(PollyBreaker(out _))
            .Build();
        await RunAsync(there, Fail);
        levels.Seen["OnRetry"].Should().Be(ResilienceEventSeverity.Warning);
        levels.Seen["OnCircuitOpened"].Should().Be(ResilienceEventSeverity.Error);

        Microsoft.Extensions.Logging.Testing.FakeLogCollector log = new();
        ServiceCollection services = new();
        services.AddLogging(
            l => l.Services.AddSingleton<Microsoft.Extensions.Logging.ILoggerProvider>(new Microsoft.Extensions.Logging.Testing.FakeLoggerProvider(log)));
        services.AddSingleton<TimeProvider>(_time);
        services.AddResilience().AddPipeline("p", p => p.AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 1)).AddCircuitBreaker(OurBreaker()));
        await using ServiceProvider container = services.BuildServiceProvider();
        await RunAsync(container.GetRequiredKeyedService<ResiliencePipeline>("p"), Fail);
        log.GetSnapshot().Where(r => r.Id.Name == "RetryScheduled").Should().ContainSingle()
            .Which.Level.Should().Be(Microsoft.Extensions.Logging.LogLevel.Warning);
        log.GetSnapshot().Should().NotContain(r => r.Level == Microsoft.Extensions.Logging.LogLevel.Error);
    }

    [Fact]
    public void Polly_keeps_the_first_builder_of_a_registry_and_we_reject_a_second_registration()
    {
        using Polly.Registry.ResiliencePipelineRegistry<string> registry = new();
        int first = 0, second = 0;
        registry.TryAddBuilder("x", (_, _) => first++).Should().BeTrue();
        registry.TryAddBuilder("x", (_, _) => second++).Should().BeFalse("and nothing is thrown");
        registry.GetPipeline("x");
        (first, second).Should().Be((1, 0));

        ServiceCollection services = new();
        services.AddResilience().AddPipeline("x", p => p.AddRetry()).AddPipeline("x", p => p.AddTimeout(Second));
        using ServiceProvider container = services.BuildServiceProvider();
        container.Invoking(c => c.GetRequiredKeyedService<ResiliencePipeline>("x")).Should().Throw<InvalidOperationException>().WithMessage("*more than once*");
    }

    [Fact]
    public async Task Polly_ends_pipelines_with_their_registry_and_ours_go_on()
    {
        Polly.Registry.ResiliencePipelineRegistry<string> registry = new();
        registry.TryAddBuilder("x", (b, _) => b.AddRetry(new RetryStrategyOptions()));
        PollyPipeline there = registry.GetPipeline("x");
        await registry.DisposeAsync();
        (await RunAsync(there, Succeed)).Should().BeOfType<ObjectDisposedException>();

        ServiceCollection services = new();
        services.AddResilience().AddPipeline("x", p => p.AddRetry());
        ServiceProvider container = services.BuildServiceProvider();
        ResiliencePipeline here = container.GetRequiredKeyedService<ResiliencePipeline>("x");
        await container.DisposeAsync();
        (await RunAsync(here, Succeed)).Should().BeNull();
    }

    [Fact]
    public async Task Polly_tells_of_a_retry_that_the_caller_no_longer_waits_for_and_we_do_not()
    {
        int there = 0, here = 0;
        using CancellationTokenSource one = new(), two = new();
        PollyPipeline polly = Polly().AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero, OnRetry = _ => { there++; return default; } }).Build();
        ResiliencePipeline ours = Ours().AddRetry(o => (o.BaseDelay, o.OnRetry) = (TimeSpan.Zero, (_, _) => here++)).Build();
        await RunAsync(polly, async _ => { await one.CancelAsync(); throw new IOException(); }, one.Token);
        await RunAsync(ours, async _ => { await two.CancelAsync(); throw new IOException(); }, two.Token);
        (there, here).Should().Be((1, 0));
    }

    private sealed class Levels : TelemetryListener
    {
        internal Dictionary<string, ResilienceEventSeverity> Seen { get; } = [];

        public override void Write<TResult, TArgs>(in TelemetryEventArguments<TResult, TArgs> args) => Seen[args.Event.EventName] = args.Event.Severity;
    }
}
