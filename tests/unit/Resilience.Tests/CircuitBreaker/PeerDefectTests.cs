using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.CircuitBreaking;

/// <summary>The faults found in other libraries' breakers, each as a test of ours. D numbers: the list of probes in the verification document.</summary>
public sealed class PeerDefectTests
{
    private readonly ManualTime _time = new();

    private CircuitBreaker Make(Action<CircuitBreakerOptions>? configure = null)
    {
        CircuitBreakerOptions options = new()
        {
            FailureRatio = null,
            ConsecutiveFailures = 1,
            BreakDuration = TimeSpan.FromSeconds(5),
            BreakJitter = 0,
            BreakGrowth = 1,
            ProbeLease = TimeSpan.FromSeconds(30),
        };
        configure?.Invoke(options);
        return new(options, _time);
    }

    private static CircuitPermit Enter(CircuitBreaker breaker, CircuitAdmission expected)
    {
        breaker.TryEnter(out CircuitPermit permit).Should().Be(expected);
        return permit;
    }

    [Theory]
    [InlineData(Verdict.Success)] // D1: resilience4j, Failsafe, failsafe-go, Hystrix, Sentinel, Finagle, Polly close or count a probe
    [InlineData(Verdict.Failure)] // D2: they open it again
    [InlineData(Verdict.Ignored)] // resilience4j hands out one permit more
    public void D1_D2_a_call_admitted_before_the_circuit_opened_decides_nothing_when_it_comes_back_in_half_open(Verdict late)
    {
        CircuitBreaker breaker = Make(o => (o.Probes, o.SuccessThreshold) = (2, 2));
        CircuitPermit admittedClosed = Enter(breaker, CircuitAdmission.Admitted);
        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(5));
        CircuitPermit probe = Enter(breaker, CircuitAdmission.AdmittedAsProbe);

        breaker.Exit(admittedClosed, late).Should().Be(CircuitExit.Stale);

        CircuitSnapshot after = breaker.TakeSnapshot();
        after.State.Should().Be(CircuitState.HalfOpen);
        after.ProbesOut.Should().Be(1);
        after.ProbesSucceeded.Should().Be(0);
        breaker.Exit(probe, Verdict.Success).Should().Be(CircuitExit.Counted);
    }

    [Fact]
    public void D3_a_probe_cancelled_by_its_caller_gives_its_place_back_and_decides_nothing()
    {
        CircuitBreaker breaker = Make();
        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(5));
        CircuitPermit probe = Enter(breaker, CircuitAdmission.AdmittedAsProbe);
        Enter(breaker, CircuitAdmission.RejectedProbesTaken);

        breaker.Exit(probe, Verdict.Ignored).Should().Be(CircuitExit.Released);

        breaker.State.Should().Be(CircuitState.HalfOpen);
        Enter(breaker, CircuitAdmission.AdmittedAsProbe);
    }

    [Fact]
    public async Task D3_in_a_pipeline_cancelling_the_probe_neither_closes_nor_opens_the_circuit()
    {
        FakeTimeProvider time = new();
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0 }, time);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }.AddCircuitBreaker(breaker).Build();
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        time.Advance(TimeSpan.FromSeconds(5));
        using CancellationTokenSource caller = new();

        Outcome<int> cancelled = await pipeline.TryExecuteAsync<int>(
            ct =>
            {
                caller.Cancel();
                ct.ThrowIfCancellationRequested();
                return new(1);
            },
            caller.Token);

        cancelled.Verdict.Should().Be(Verdict.Ignored);
        breaker.TakeSnapshot().Should().Match<CircuitSnapshot>(s => s.State == CircuitState.HalfOpen && s.ProbesOut == 0);
    }

    [Fact]
    public async Task A_caller_that_is_cancelled_before_it_starts_takes_no_probe()
    {
        CircuitBreaker breaker = Make();
        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(5));
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build();

        Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1), new CancellationToken(true));

        outcome.Verdict.Should().Be(Verdict.Ignored);
        breaker.TakeSnapshot().ProbesOut.Should().Be(0);
        Enter(breaker, CircuitAdmission.AdmittedAsProbe);
    }

    [Fact]
    public void D4_a_probe_that_never_completes_is_given_up_after_its_lease_and_its_late_result_is_stale()
    {
        CircuitBreaker breaker = Make();
        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(5));
        CircuitPermit lost = Enter(breaker, CircuitAdmission.AdmittedAsProbe);
        _time.Advance(TimeSpan.FromSeconds(30) - TimeSpan.FromMilliseconds(1));
        Enter(breaker, CircuitAdmission.RejectedProbesTaken);
        _time.Advance(TimeSpan.FromMilliseconds(1));

        CircuitPermit second = Enter(breaker, CircuitAdmission.AdmittedAsProbe);

        breaker.Exit(lost, Verdict.Failure).Should().Be(CircuitExit.Stale);
        breaker.State.Should().Be(CircuitState.HalfOpen);
        breaker.Exit(second, Verdict.Success).Should().Be(CircuitExit.Counted);
        breaker.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public void D6_steps_of_the_wall_clock_change_nothing()
    {
        CircuitBreaker breaker = Make(o =>
        {
            (o.FailureRatio, o.ConsecutiveFailures) = (0.5, null);
            (o.MinimumCalls, o.SamplingDuration) = (10, TimeSpan.FromSeconds(10));
        });
        for (int i = 0; i < 9; i++)
        {
            breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
            _time.StepWallClock(TimeSpan.FromHours(i % 2 == 0 ? -1 : 1));
            breaker.State.Should().Be(CircuitState.Closed);
            breaker.TakeSnapshot().Calls.Should().Be(i + 1);
        }

        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        breaker.State.Should().Be(CircuitState.Open);
        _time.StepWallClock(TimeSpan.FromHours(1));
        Enter(breaker, CircuitAdmission.RejectedOpen);
        _time.StepWallClock(TimeSpan.FromHours(-2));
        _time.Advance(TimeSpan.FromSeconds(5));
        Enter(breaker, CircuitAdmission.AdmittedAsProbe);
    }

    [Fact]
    public void D7_a_listener_that_throws_neither_wedges_the_breaker_nor_reaches_the_caller()
    {
        CircuitBreaker breaker = Make(o => o.OnChange = _ => throw new InvalidOperationException("listener"));
        CircuitPermit permit = Enter(breaker, CircuitAdmission.Admitted);
        breaker.Invoking(b => b.Exit(permit, Verdict.Failure)).Should().NotThrow();
        _time.Advance(TimeSpan.FromSeconds(5));
        breaker.Exit(Enter(breaker, CircuitAdmission.AdmittedAsProbe), Verdict.Success);
        breaker.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public async Task D7_a_classifier_that_throws_leaves_the_defaults_in_charge()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(c => c.On<IOException>(_ => throw new InvalidOperationException("rule")).OnResult<int>(_ => throw new InvalidOperationException("rule")))
            .AddCircuitBreaker(Make())
            .Build();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(3))).Verdict.Should().Be(Verdict.Success);
        (await pipeline.TryExecuteAsync<int>(_ => throw new IOException())).Verdict.Should().Be(Verdict.Failure);
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(3))).Verdict.Should().Be(Verdict.Rejected);
    }

    [Fact]
    public void D14_failures_on_both_sides_of_a_bucket_edge_are_judged_together()
    {
        // Ten failures before a whole second and ten after it: a tumbling window sees ten and ten, a sliding one twenty.
        CircuitBreaker breaker = Make(o =>
        {
            (o.FailureRatio, o.ConsecutiveFailures) = (0.5, null);
            (o.MinimumCalls, o.SamplingDuration, o.Buckets) = (20, TimeSpan.FromSeconds(10), 10);
        });
        _time.Advance(TimeSpan.FromMilliseconds(9_990));
        for (int i = 0; i < 10; i++) breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        _time.Advance(TimeSpan.FromMilliseconds(20));
        for (int i = 0; i < 10; i++)
        {
            breaker.State.Should().Be(CircuitState.Closed);
            breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        }

        breaker.State.Should().Be(CircuitState.Open);
    }

    [Fact]
    public void D15_after_ten_idle_windows_old_counts_are_gone()
    {
        CircuitBreaker breaker = Make(o =>
        {
            (o.FailureRatio, o.ConsecutiveFailures) = (0.5, null);
            (o.MinimumCalls, o.SamplingDuration) = (10, TimeSpan.FromSeconds(10));
        });
        for (int i = 0; i < 9; i++) breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(100));
        breaker.TakeSnapshot().Calls.Should().Be(0);
        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        breaker.State.Should().Be(CircuitState.Closed);
        breaker.TakeSnapshot().Failures.Should().Be(1);
    }

    [Fact]
    public void The_state_is_derived_from_the_time_and_reading_it_changes_nothing()
    {
        // failsafe-go #97: the state stays Open until the next call, and dashboards are wrong.
        CircuitBreaker breaker = Make();
        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        long epoch = breaker.TakeSnapshot().Epoch;
        _time.Advance(TimeSpan.FromSeconds(5));
        breaker.State.Should().Be(CircuitState.HalfOpen);
        breaker.TakeSnapshot().Epoch.Should().Be(epoch, "no call has entered");
    }

    [Fact]
    public void Failures_of_an_open_circuit_raise_no_further_event()
    {
        // Polly #219: failures that come back while open raise the event again.
        int opened = 0;
        CircuitBreaker breaker = Make(o => o.OnChange = c => opened += c.To == CircuitState.Open ? 1 : 0);
        CircuitPermit[] permits = [.. Enumerable.Range(0, 5).Select(_ => Enter(breaker, CircuitAdmission.Admitted))];
        foreach (CircuitPermit permit in permits) breaker.Exit(permit, Verdict.Failure);
        opened.Should().Be(1);
    }

    [Fact]
    public void A_success_that_races_a_failure_does_not_erase_the_growth_of_the_break()
    {
        // ldbc #731: a late success of the epoch before resets the escalated break.
        CircuitBreaker breaker = Make(o => (o.BreakGrowth, o.BreakDecay) = (2, TimeSpan.FromHours(1)));
        CircuitPermit late = Enter(breaker, CircuitAdmission.Admitted);
        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(5));
        CircuitPermit probe = Enter(breaker, CircuitAdmission.AdmittedAsProbe);
        breaker.Exit(late, Verdict.Success);
        breaker.Exit(probe, Verdict.Failure);
        breaker.TakeSnapshot().RetryAfter.Should().Be(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task The_same_breaker_nested_in_itself_neither_deadlocks_nor_counts_its_own_rejection()
    {
        // Polly #933.
        CircuitBreaker breaker = Make();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).AddCircuitBreaker(breaker).Build();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).IsSuccess.Should().BeTrue();
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        breaker.State.Should().Be(CircuitState.Open);
        _time.Advance(TimeSpan.FromSeconds(5));

        // The outer link takes the only probe, the inner one is rejected: the place comes back, nothing is decided.
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Rejected);
        breaker.TakeSnapshot().Should().Match<CircuitSnapshot>(s => s.State == CircuitState.HalfOpen && s.ProbesOut == 0);
    }

    [Fact]
    public void Nothing_of_a_result_or_an_exception_is_kept_by_the_breaker()
    {
        // Kevlar #227, Polly: the last exception is kept and pins what it refers to.
        CircuitBreaker breaker = Make();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build();
        WeakReference thrown = FailOnce(pipeline);
        breaker.State.Should().Be(CircuitState.Open);
        for (int i = 0; i < 3 && thrown.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        thrown.IsAlive.Should().BeFalse();
        GC.KeepAlive(breaker);
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static WeakReference FailOnce(ResiliencePipeline pipeline)
    {
        // On a thread that ends: the runtime keeps the last exception of each thread, even after all other references are gone.
        IOException error = new("once");
        Verdict verdict = default;
        Thread thread = new(() => verdict = pipeline.TryExecuteAsync<int>(_ => throw error).AsTask().GetAwaiter().GetResult().Verdict);
        thread.Start();
        thread.Join();
        verdict.Should().Be(Verdict.Failure);
        return new(error);
    }

    [Fact]
    public void Rejections_count_for_nothing_so_the_breaker_recovers()
    {
        // go-zero #5551: counting its own rejections keeps it open for ever.
        CircuitBreaker breaker = Make();
        breaker.Exit(Enter(breaker, CircuitAdmission.Admitted), Verdict.Failure);
        for (int i = 0; i < 1000; i++) Enter(breaker, CircuitAdmission.RejectedOpen);
        _time.Advance(TimeSpan.FromSeconds(5));
        breaker.Exit(Enter(breaker, CircuitAdmission.AdmittedAsProbe), Verdict.Success);
        breaker.State.Should().Be(CircuitState.Closed);
    }
}
