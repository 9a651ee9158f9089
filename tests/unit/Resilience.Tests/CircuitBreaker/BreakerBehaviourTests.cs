namespace Resilience.Tests.CircuitBreaking;

/// <summary>What the breaker does, on the breaker and on its plain twin alike.</summary>
public sealed class BreakerBehaviourTests
{
    private readonly ManualTime _time = new();

    private static CircuitBreakerOptions Base() => new()
    {
        FailureRatio = null,
        BreakDuration = TimeSpan.FromSeconds(5),
        BreakJitter = 0,
        BreakGrowth = 1,
    };

    public static TheoryData<bool> RealAndTwin() => [true, false];

    private IBreaker Make(bool real, CircuitBreakerOptions options) => real ? new RealBreaker(options, _time) : new ReferenceBreaker(options, _time);

    private static void Calls(IBreaker breaker, int successes, int failures)
    {
        for (int i = 0; i < successes; i++) breaker.Exit(breaker.Enter().Permit, Verdict.Success);
        for (int i = 0; i < failures; i++) breaker.Exit(breaker.Enter().Permit, Verdict.Failure);
    }

    private void Pass(double seconds) => _time.Advance(TimeSpan.FromSeconds(seconds));

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Opens_at_the_failure_ratio_but_not_before_the_minimum_of_calls(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls) = (0.5, 10);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 9);
        breaker.State.Should().Be(CircuitState.Closed, "nine calls are fewer than ten");
        Calls(breaker, 0, 1);
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Stays_closed_just_below_the_ratio(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls) = (0.5, 10);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 51, 50);
        breaker.State.Should().Be(CircuitState.Closed);
        Calls(breaker, 0, 1);
        breaker.State.Should().Be(CircuitState.Open, "51 of 102");
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Forgets_calls_when_the_window_has_passed(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls, options.SamplingDuration) = (0.5, 10, TimeSpan.FromSeconds(10));
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 9);
        Pass(11.1);
        Calls(breaker, 0, 9);
        breaker.State.Should().Be(CircuitState.Closed);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Remembers_calls_for_the_whole_window(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls, options.SamplingDuration) = (0.5, 10, TimeSpan.FromSeconds(10));
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 9);
        Pass(9.9);
        Calls(breaker, 0, 1);
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void A_window_over_calls_sees_the_last_calls_however_old(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls, options.SamplingCalls, options.Buckets) = (0.5, 4, 4, 10);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 1);
        Pass(10_000);
        Calls(breaker, 2, 0);
        breaker.State.Should().Be(CircuitState.Closed);
        Calls(breaker, 0, 1);
        breaker.State.Should().Be(CircuitState.Open, "two of the last four");
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void A_window_over_calls_forgets_what_was_before_them(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls, options.SamplingCalls, options.Buckets) = (0.5, 4, 4, 10);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 1);
        Calls(breaker, 3, 0);
        Calls(breaker, 0, 1);
        breaker.State.Should().Be(CircuitState.Closed, "one of the last four");
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Opens_after_failures_in_a_row_and_a_success_begins_the_count_again(bool real)
    {
        CircuitBreakerOptions options = Base();
        options.ConsecutiveFailures = 3;
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 2);
        Calls(breaker, 1, 2);
        breaker.State.Should().Be(CircuitState.Closed);
        Calls(breaker, 0, 1);
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Failures_in_a_row_within_a_span_slide_with_the_last_failure(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.ConsecutiveFailures, options.ConsecutiveFailuresWithin) = (3, TimeSpan.FromSeconds(5));
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 1); // 0 s
        Pass(4);
        Calls(breaker, 0, 1); // 4 s
        Pass(2);
        Calls(breaker, 0, 1); // 6 s: six seconds for three, too slow
        breaker.State.Should().Be(CircuitState.Closed);
        Pass(1);
        Calls(breaker, 0, 1); // 7 s: the last three took three
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Slow_calls_open_the_circuit_though_they_succeed(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.SlowCallThreshold, options.SlowCallRatio, options.MinimumCalls) = (TimeSpan.FromSeconds(1), 0.5, 4);
        IBreaker breaker = Make(real, options);
        for (int i = 0; i < 4; i++)
        {
            object? permit = breaker.Enter().Permit;
            if (i % 2 == 0) Pass(1);
            breaker.State.Should().Be(CircuitState.Closed);
            breaker.Exit(permit, Verdict.Success);
        }

        breaker.State.Should().Be(CircuitState.Closed, "two of four were slow, but the last that came back was fast");
        object? last = breaker.Enter().Permit;
        Pass(1);
        breaker.Exit(last, Verdict.Success);
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Calls_that_hang_open_the_circuit_before_any_of_them_has_come_back(bool real)
    {
        // resilience4j #1597: "there is no way".
        CircuitBreakerOptions options = Base();
        (options.SlowCallThreshold, options.SlowCallRatio, options.MinimumCalls) = (TimeSpan.FromSeconds(1), 0.5, 5);
        IBreaker breaker = Make(real, options);
        object?[] hanging = [.. Enumerable.Range(0, 5).Select(_ => breaker.Enter().Permit)];
        Pass(0.5);
        breaker.Enter().Entry.Should().Be(CircuitAdmission.Admitted);
        Pass(0.8); // 1.3 s: over the threshold by more than the eighth by which the count in flight may lag
        breaker.Enter().Entry.Should().Be(CircuitAdmission.RejectedOpen);
        breaker.Exit(hanging[0], Verdict.Success).Should().Be(CircuitExit.Stale);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void A_probe_that_succeeds_too_slowly_opens_the_circuit_again(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.SlowCallThreshold, options.ConsecutiveFailures) = (TimeSpan.FromSeconds(1), 1);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 1);
        Pass(5);
        object? probe = breaker.Enter().Permit;
        Pass(1);
        breaker.Exit(probe, Verdict.Success);
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void The_break_grows_with_each_relapse_up_to_its_cap_and_health_takes_the_growth_back(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.ConsecutiveFailures, options.BreakGrowth, options.MaxBreakDuration, options.BreakDecay) = (1, 2, TimeSpan.FromSeconds(15),
            TimeSpan.FromSeconds(60));
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 1);
        foreach (double seconds in new[] { 5.0, 10, 15, 15 })
        {
            Pass(seconds - 0.001);
            breaker.State.Should().Be(CircuitState.Open);
            Pass(0.001);
            breaker.State.Should().Be(CircuitState.HalfOpen, "the break of {0} s is over", seconds);
            Calls(breaker, 0, 1);
        }

        Pass(15);
        Calls(breaker, 1, 0);
        breaker.State.Should().Be(CircuitState.Closed);
        Pass(60 * 2); // two healthy minutes take back two steps: the cap was reached with two, and this relapse is one more
        Calls(breaker, 0, 1);
        Pass(9.999);
        breaker.State.Should().Be(CircuitState.Open);
        Pass(0.001);
        breaker.State.Should().Be(CircuitState.HalfOpen, "one step of growth was left: 10 s");
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Several_probes_must_succeed_and_the_first_failure_opens_again(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.ConsecutiveFailures, options.Probes, options.SuccessThreshold) = (1, 2, 3);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 1);
        Pass(5);
        object? first = breaker.Enter().Permit, second = breaker.Enter().Permit;
        breaker.Enter().Entry.Should().Be(CircuitAdmission.RejectedProbesTaken);
        breaker.Exit(first, Verdict.Success);
        breaker.Exit(second, Verdict.Success);
        breaker.State.Should().Be(CircuitState.HalfOpen, "two of three");
        object? third = breaker.Enter().Permit;
        breaker.Enter().Entry.Should().Be(CircuitAdmission.RejectedProbesTaken, "only one more is needed");
        breaker.Exit(third, Verdict.Success);
        breaker.State.Should().Be(CircuitState.Closed);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void After_closing_the_ramp_admits_a_growing_share(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.ConsecutiveFailures, options.RampDuration, options.RampFrom) = (1, TimeSpan.FromSeconds(10), 0.2);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 1);
        Pass(5);
        Calls(breaker, 1, 0);
        Admitted(1000).Should().BeInRange(195, 205);
        Pass(5);
        Admitted(1000).Should().BeInRange(595, 605);
        Pass(5);
        Admitted(1000).Should().Be(1000);

        int Admitted(int calls) => Enumerable.Range(0, calls).Count(_ =>
        {
            (CircuitAdmission entry, object? permit) = breaker.Enter();
            breaker.Exit(permit, Verdict.Success);
            return entry == CircuitAdmission.Admitted;
        });
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void A_relapse_in_the_ramp_opens_at_once_and_longer(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls, options.BreakGrowth) = (0.5, 100, 2);
        (options.RampDuration, options.RampFrom) = (TimeSpan.FromSeconds(10), 0.1);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 100);
        Pass(5);
        Calls(breaker, 1, 0);
        for (int i = 0; i < 200 && breaker.State == CircuitState.Closed; i++) breaker.Exit(breaker.Enter().Permit, Verdict.Failure);
        breaker.State.Should().Be(CircuitState.Open, "a tenth of the traffic is judged by a tenth of the minimum");
        Pass(9.9);
        breaker.State.Should().Be(CircuitState.Open);
        Pass(0.1);
        breaker.State.Should().Be(CircuitState.HalfOpen);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void Isolated_rejects_every_call_until_it_is_closed_by_hand(bool real)
    {
        CircuitBreakerOptions options = Base();
        options.ConsecutiveFailures = 1;
        IBreaker breaker = Make(real, options);
        object? before = breaker.Enter().Permit;
        breaker.Isolate();
        Pass(10_000);
        breaker.Enter().Entry.Should().Be(CircuitAdmission.RejectedIsolated);
        breaker.Exit(before, Verdict.Success).Should().Be(CircuitExit.Stale);
        breaker.Close();
        breaker.Enter().Entry.Should().Be(CircuitAdmission.Admitted);
    }

    [Theory]
    [MemberData(nameof(RealAndTwin))]
    public void A_dry_run_changes_states_and_rejects_no_call(bool real)
    {
        CircuitBreakerOptions options = Base();
        (options.ConsecutiveFailures, options.DryRun) = (1, true);
        IBreaker breaker = Make(real, options);
        Calls(breaker, 0, 1);
        breaker.State.Should().Be(CircuitState.Open);
        (CircuitAdmission entry, object? watched) = breaker.Enter();
        entry.Should().Be(CircuitAdmission.AdmittedInDryRun);
        breaker.Exit(watched, Verdict.Success).Should().Be(CircuitExit.Released);
        breaker.State.Should().Be(CircuitState.Open, "only a probe may close it");
        Pass(5);
        Calls(breaker, 1, 0);
        breaker.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public void Changing_options_keeps_state_counts_and_growth()
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls) = (0.9, 10);
        CircuitBreaker breaker = new(options, _time);
        IBreaker door = new Door(breaker);
        Calls(door, 6, 4);
        options.SamplingDuration = TimeSpan.FromSeconds(60); // another shape of window: the sums move over
        options.FailureRatio = 0.45;
        breaker.Update(options);
        breaker.TakeSnapshot().Should().Match<CircuitSnapshot>(s => s.Calls == 10 && s.Failures == 4);
        Calls(door, 0, 1);
        breaker.State.Should().Be(CircuitState.Open, "5 of 11 are 45 %");

        options.BreakDuration = TimeSpan.FromSeconds(1);
        breaker.Update(options);
        Pass(4.9);
        breaker.State.Should().Be(CircuitState.Open, "a break under way keeps its end");
        options.MinimumCalls = 0;
        breaker.Invoking(b => b.Update(options)).Should().Throw<ResilienceOptionsException>().WithMessage("*MinimumCalls*0*1 or more*");
        Pass(0.1);
        breaker.State.Should().Be(CircuitState.HalfOpen);
    }

    private sealed class Door(CircuitBreaker breaker) : IBreaker
    {
        public CircuitState State => breaker.State;

        public (CircuitAdmission Entry, object? Permit) Enter() => (breaker.TryEnter(out CircuitPermit permit), permit);

        public CircuitExit Exit(object? permit, Verdict verdict) => breaker.Exit((CircuitPermit)permit!, verdict);

        public long EpochOf(object permit) => ((CircuitPermit)permit).Epoch;

        public void Isolate() => breaker.Isolate();

        public void Close() => breaker.Close();
    }

    [Fact]
    public void Jitter_only_shortens_the_break_and_uses_its_whole_range()
    {
        CircuitBreakerOptions options = Base();
        (options.ConsecutiveFailures, options.BreakJitter, options.MaxBreakDuration) = (1, 0.5, TimeSpan.FromSeconds(5));
        List<double> breaks = [];
        options.OnChange = change => breaks.AddRange(change.BreakDuration is { } d ? [d.TotalSeconds] : []);
        CircuitBreaker breaker = new(options, _time, Randomness.Seeded(42));
        for (int i = 0; i < 2000; i++)
        {
            breaker.TryEnter(out CircuitPermit permit);
            breaker.Exit(permit, Verdict.Failure);
            Pass(5);
        }

        breaks.Should().HaveCount(2000).And.OnlyContain(b => b >= 2.5 && b <= 5);
        breaks.Average().Should().BeApproximately(3.75, 0.05);
    }

    [Fact]
    public void A_rejection_says_who_why_since_when_and_until_when()
    {
        CircuitBreakerOptions options = Base();
        (options.FailureRatio, options.MinimumCalls, options.Name) = (0.5, 4, "payments");
        CircuitBreaker breaker = new(options, _time);
        Calls(new Door(breaker), 1, 3);
        Pass(2);
        breaker.TryEnter(out CircuitPermit permit, out CircuitRejection? rejection).Should().Be(CircuitAdmission.RejectedOpen);
        permit.Epoch.Should().Be(0);
        rejection!.PolicyName.Should().Be("payments");
        rejection.Reason.Should().Contain("payments").And.Contain("open since 00:00:00Z").And.Contain("3 of 4 calls in the last ")
            .And.EndWith("in 3 s, at 00:00:05Z.");
        rejection.RetryAfter.Should().Be(TimeSpan.FromSeconds(3));
        rejection.ToException().Should().BeOfType<CircuitOpenException>().Which.RetryAfter.Should().Be(TimeSpan.FromSeconds(3));
    }

    [Fact]
    public void Default_permits_and_permits_given_back_twice_change_nothing()
    {
        CircuitBreakerOptions options = Base();
        options.ConsecutiveFailures = 1;
        CircuitBreaker breaker = new(options, _time);
        breaker.Exit(default, Verdict.Failure).Should().Be(CircuitExit.Stale);
        breaker.State.Should().Be(CircuitState.Closed);
        Calls(new Door(breaker), 0, 1);
        Pass(5);
        breaker.TryEnter(out CircuitPermit probe);
        breaker.Exit(probe, Verdict.Ignored).Should().Be(CircuitExit.Released);
        breaker.Exit(probe, Verdict.Ignored).Should().Be(CircuitExit.Stale, "no probe is out any more");
        breaker.TakeSnapshot().ProbesOut.Should().Be(0);
    }

    [Fact]
    public void All_problems_of_the_options_come_in_one_message()
    {
        CircuitBreakerOptions options = new()
        {
            FailureRatio = double.NaN,
            MinimumCalls = 0,
            BreakDuration = TimeSpan.MaxValue,
            MaxBreakDuration = TimeSpan.FromSeconds(1),
            BreakGrowth = double.PositiveInfinity,
            BreakJitter = -1,
            Probes = 0,
            SuccessThreshold = 0,
            ProbeLease = TimeSpan.Zero,
            RampFrom = 2,
            SlowCallRatio = double.NaN,
            SamplingDuration = TimeSpan.FromTicks(1),
            Buckets = 1,
        };
        Func<CircuitBreaker> make = () => new(options);
        ResilienceOptionsException error = make.Should().Throw<ResilienceOptionsException>().Which;
        error.Problems.Select(p => p.Option).Should().BeEquivalentTo(
            "FailureRatio", "MinimumCalls", "Buckets", "SamplingDuration", "SlowCallRatio", "BreakDuration", "BreakGrowth",
            "MaxBreakDuration", "BreakJitter", "Probes", "SuccessThreshold", "ProbeLease", "RampFrom");
        error.Message.Should().Contain("FailureRatio is NaN").And.Contain("BreakDuration is unlimited").And.Contain("from 1 ms to 24 h");
    }

    private sealed class BadRandomness(double? answer) : Randomness
    {
        public override double NextDouble() => answer ?? throw new InvalidOperationException();
    }

    [Theory]
    [InlineData(null)]
    [InlineData(double.NaN)]
    [InlineData(-5.0)]
    [InlineData(1e300)]
    public void A_generator_that_throws_or_lies_leaves_the_break_whole(double? answer)
    {
        CircuitBreakerOptions options = Base();
        (options.ConsecutiveFailures, options.BreakJitter) = (1, 1);
        CircuitBreaker breaker = new(options, _time, new BadRandomness(answer));
        Calls(new Door(breaker), 0, 1);
        breaker.TakeSnapshot().RetryAfter.Should().Be(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void A_breaker_without_any_rule_is_rejected()
    {
        Func<CircuitBreaker> make = () => new(new() { FailureRatio = null });
        make.Should().Throw<ResilienceOptionsException>().WithMessage("*a circuit breaker needs a rule*");
    }
}
