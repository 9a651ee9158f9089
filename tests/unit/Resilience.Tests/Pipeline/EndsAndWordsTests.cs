namespace Resilience.Tests.Pipelines;

/// <summary>Ends of calls that seldom happen, and what things say of themselves.</summary>
public sealed class EndsAndWordsTests
{
    private static readonly ResilienceProperty<string> Color = new("color");

    private static LimitRejection Full()
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1 });
        limit.TryEnter();
        return limit.EnterAsync().Result!;
    }

    [Fact]
    public void An_outcome_says_how_the_call_ended()
    {
        CircuitBreaker breaker = new(new());
        breaker.Isolate();
        default(Outcome<int>).ToString().Should().Be("no outcome");
        Outcome.Success(5).ToString().Should().Be("Success: 5");
        Outcome.Result(5, Verdict.Failure).ToString().Should().Be("Failure: 5");
        Outcome.Failure<int>(new IOException("gone")).ToString().Should().Be("Failure: IOException: gone");
        Outcome.Rejected<int>(Full()).ToString().Should().StartWith("Rejected: ").And.Contain("the only place is taken at this moment (limit 1)");
    }

    [Theory]
    [InlineData("value", Verdict.Rejected)]
    [InlineData("value", Verdict.None)]
    [InlineData("value", (Verdict)99)]
    [InlineData("error", Verdict.Success)]
    [InlineData("error", Verdict.None)]
    [InlineData("none", Verdict.Failure)]
    public void A_verdict_that_does_not_fit_the_outcome_is_rejected(string kind, Verdict verdict)
    {
        Outcome<int> outcome = kind switch { "value" => Outcome.Success(1), "error" => Outcome.Failure<int>(new IOException()), _ => default };
        outcome.Invoking(o => o.WithVerdict(verdict)).Should().Throw<ArgumentOutOfRangeException>().WithMessage($"*cannot become {VerdictNames.Of(verdict)}*");
    }

    [Fact]
    public void A_mark_against_retries_travels_with_whatever_the_outcome_is()
    {
        Outcome.Success(1).MarkedDoNotRetry().Should().Match<Outcome<int>>(o => o.DoNotRetry && o.Value == 1);
        IOException error = new();
        Outcome.Failure<int>(error).MarkedDoNotRetry().DoNotRetry.Should().BeTrue();
        Outcome.Rejected<int>(Full()).MarkedDoNotRetry().DoNotRetry.Should().BeTrue();
    }

    [Fact]
    public void The_cause_of_a_trip_is_half_a_sentence()
    {
        (TripRule Rule, int Calls, int Bad, string Text)[] all =
        [
            (TripRule.FailureRatio, 20, 12, "12 of 20 calls failed"), (TripRule.ConsecutiveFailures, 1, 1, "a call failed"),
                (TripRule.ConsecutiveFailures, 5, 5, "5 calls in a row failed"),
            (TripRule.SlowCalls, 20, 12, "12 of 20 calls were slow"), (TripRule.ProbeFailed, 1, 1, "a probe failed or was slow"),
                (TripRule.ByHand, 0, 0, "it was set by hand"),
        ];
        foreach ((TripRule rule, int calls, int bad, string text) in all) new TripCause(rule, calls, bad).ToString().Should().Be(text);
        default(TripCause).ToString().Should().Be("of a cause that is not known");
    }

    [Fact]
    public void A_circuit_breaker_describes_each_rule_that_is_on()
    {
        string Describe(Action<CircuitBreakerOptions> configure) => new ResiliencePipelineBuilder().AddCircuitBreaker(configure).Build().Describe().ToString();
        Describe(o => (o.SlowCallThreshold, o.RampDuration, o.DryRun, o.SamplingCalls, o.MinimumCalls) = (TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(30),
            true, 50, 10))
            .Should().Contain("failure ratio = 0.5 of at least 10 calls in the last 50")
                .And.Contain("slow calls = 0.5 of at least 10 calls in the last 50 over 2 s").And.Contain("ramp = from 10").And.Contain("dry run = yes");
        Describe(o => (o.FailureRatio, o.ConsecutiveFailures, o.ConsecutiveFailuresWithin) = (null, 5, TimeSpan.FromSeconds(3)))
            .Should().Contain("consecutive failures = 5 within 3 s").And.NotContain("failure ratio").And.NotContain("ramp").And.NotContain("dry run")
                .And.NotContain("slow");
        Describe(o => o.ConsecutiveFailures = 5).Should().Contain("5 within any time").And.Contain("in 10 s");
    }

    [Fact]
    public async Task A_context_that_is_kept_beyond_its_call_throws()
    {
        ResilienceContext? kept = null;
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "named" }.AddTimeout(TimeSpan.FromMinutes(1)).AddRetry().Build();
        await pipeline.ExecuteAsync(new("charge"), (context, _) =>
        {
            (context.PipelineName, context.Operation, context.Attempt, context.TimeProvider).Should().Be(("named", "charge", 0, TimeProvider.System));
            context.RemainingTime.Should().BePositive();
            context.Set(Color, "red");
            context.TryGet(Color, out string? color).Should().BeTrue();
            color.Should().Be("red");
            kept = context.Fork();
            kept.EndFork();
            return new ValueTask<int>(1);
        }, 0);
        Action[] uses =
        [
            () => _ = kept!.PipelineName, () => _ = kept!.Operation, () => _ = kept!.Attempt, () => _ = kept!.TimeProvider, () => _ = kept!.CancellationToken,
            () => kept!.CancellationToken = default, () => _ = kept!.RemainingTime, () => kept!.TryGet(Color, out _), () => kept!.Set(Color, "blue"), () =>
                kept!.ForbidRetry("x"), () => kept!.AllowRetry(),
        ];
        foreach (Action use in uses) use.Should().Throw<ObjectDisposedException>().WithMessage("*has ended*");
    }

    [Fact]
    public async Task A_task_that_is_cancelled_or_failed_without_being_awaited_ends_the_call_as_it_ended()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o => o.MaxRetries = 0).Build();
        using CancellationTokenSource own = new();
        await own.CancelAsync();
        Outcome<int> cancelled = await pipeline.TryExecuteAsync(_ => Task.FromCanceled<int>(own.Token));
        cancelled.Exception.Should().BeAssignableTo<OperationCanceledException>().Which.CancellationToken.Should().Be(own.Token);
        Outcome<int> failed = await pipeline.TryExecuteAsync(_ => Task.FromException<int>(new IOException("planned")));
        failed.Exception.Should().BeOfType<IOException>();
        await pipeline.Awaiting(p => p.ExecuteAsync(_ => (Task)null!).AsTask()).Should().ThrowAsync<InvalidOperationException>();
    }

    [Fact]
    public async Task A_discarded_result_whose_disposal_throws_harms_no_caller()
    {
        int made = 0;
        OutcomeClassifier classifier = OutcomeClassifier.Default.OnResult<Bomb>(_ => made < 3 ? Verdict.Failure : Verdict.Success);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Classifier = classifier }.AddRetry(o => o.BaseDelay = TimeSpan.Zero).Build();
        (await pipeline.ExecuteAsync(_ => new ValueTask<Bomb>(new Bomb(++made)))).Number.Should().Be(3);
    }

    private sealed class Bomb(int number) : IDisposable
    {
        internal int Number => number;

        public void Dispose() => throw new FormatException("planned");
    }

    [Theory]
    [InlineData(typeof(ArgumentNullException), Verdict.Ignored)]
    [InlineData(typeof(NotSupportedException), Verdict.Ignored)]
    [InlineData(typeof(NotImplementedException), Verdict.Ignored)]
    [InlineData(typeof(NullReferenceException), Verdict.Ignored)]
    [InlineData(typeof(InvalidCastException), Verdict.Ignored)]
    [InlineData(typeof(IndexOutOfRangeException), Verdict.Ignored)]
    [InlineData(typeof(InvalidOperationException), Verdict.Failure)]
    [InlineData(typeof(TimeoutException), Verdict.Failure)]
    public void Errors_of_the_program_do_not_count_against_the_dependency(Type type, Verdict verdict) =>
        OutcomeClassifier.Default.Classify((Exception)Activator.CreateInstance(type)!, false).Should().Be(verdict);

    [Fact]
    public void Rules_about_results_are_passed_over_when_they_say_what_a_result_cannot_be()
    {
        OutcomeClassifier.Default.Classify(new ObjectDisposedException("x"), false).Should().Be(Verdict.Ignored);
        Func<int, Classification> rule = OutcomeClassifier.Default.OnResult<int>(n => n == 1 ? Verdict.Rejected : null)
            .OnResult<int>(n => n < 3 ? Verdict.Ignored : null).BindResult<int>()!;
        (rule(1).Verdict, rule(2).Verdict, rule(3).Verdict).Should().Be((Verdict.Ignored, Verdict.Ignored, Verdict.Success));
        OutcomeClassifier.Default.On<IOException>(_ => Verdict.Success).Classify(new IOException(), false)
            .Should().Be(Verdict.Failure, "an exception is no success");
        Func<int, TimeProvider,
            TimeSpan?> read = OutcomeClassifier.Default.RetryAfterResult<int>((n, _) => n == 0 ? null : TimeSpan.FromSeconds(n)).BindRetryAfter<int>()!;
        (read(0, TimeProvider.System), read(-1, TimeProvider.System), read(5, TimeProvider.System)).Should().Be((null, null, TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task Pipelines_and_their_parts_have_names_and_states()
    {
        Color.ToString().Should().Be("color");
        Color.Name.Should().Be("color");
        ResiliencePipeline<int> typed = new ResiliencePipelineBuilder<int> { Name = "typed" }.AddCircuitBreaker()
            .AddRetry(o => o.Budget = RetryBudget.Unlimited).Build();
        typed.Name.Should().Be("typed");
        typed.Warnings.Select(w => w.Code).Should().Equal("RES002");
        typed.States.Select(s => s.PolicyName).Should().Equal(["circuit-breaker"], "an unlimited budget is no account");
        CircuitBreakerPartitions keyed = new(new());
        ResiliencePipeline<int> outer = new ResiliencePipelineBuilder<int> { Name = "outer" }.AddPipeline(typed)
            .AddPipeline(new ResiliencePipelineBuilder { Name = "inner" }.AddCircuitBreaker(keyed, _ => null).Build()).Build();
        outer.Name.Should().Be("outer");
        outer.States.Should().HaveCount(2);
        outer.States[1].State.Should().BeSameAs(keyed);
        (await outer.ExecuteAsync(_ => new ValueTask<int>(1))).Should().Be(1);
        keyed.All().Select(b => b.Key).Should().Equal("");
    }

    [Fact]
    public void A_permit_given_back_twice_is_stale_the_second_time()
    {
        ManualTime time = new();
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0, Probes = 2 }, time);
        default(CircuitPermit).Epoch.Should().Be(0);
        breaker.TryEnter(out CircuitPermit first);
        first.Epoch.Should().Be(1);
        breaker.Exit(first, Verdict.Failure);
        breaker.Isolate();
        breaker.Isolate();
        breaker.Close();
        breaker.TryEnter(out CircuitPermit second);
        breaker.Exit(second, Verdict.Failure);
        time.Advance(TimeSpan.FromMinutes(2));
        breaker.TryEnter(out CircuitPermit probe).Should().Be(CircuitAdmission.AdmittedAsProbe);
        breaker.Exit(probe, Verdict.Ignored).Should().Be(CircuitExit.Released);
        breaker.Exit(probe, Verdict.Success).Should().Be(CircuitExit.Stale);
        breaker.Exit(default, Verdict.Success).Should().Be(CircuitExit.Stale);
    }

    [Theory]
    [InlineData(0, null, null)]
    [InlineData(1001, null, null)]
    [InlineData(null, 5.0, null)]
    [InlineData(5, 0.0, null)]
    [InlineData(5, 90000.0, null)]
    [InlineData(null, null, 0.0)]
    [InlineData(null, null, 1.1)]
    public void Options_of_a_breaker_that_are_out_of_range_are_named(int? consecutive, double? within, double? rampFrom)
    {
        CircuitBreakerOptions options = new() { ConsecutiveFailures = consecutive, ConsecutiveFailuresWithin = within is { } seconds ? TimeSpan.FromSeconds(seconds) : null };
        if (rampFrom is { } from) options.RampFrom = from;
        options.FindProblems().Should().ContainSingle().Which.Option.Should().Be(
            rampFrom is not null ? nameof(options.RampFrom) : within is not null ? nameof(options.ConsecutiveFailuresWithin) : nameof(options.ConsecutiveFailures));
    }

    [Fact]
    public void A_snapshot_shows_what_each_rule_has_counted_and_an_update_carries_it_over()
    {
        ManualTime time = new();
        CircuitBreakerOptions Options(int? calls, TimeSpan? slow) => new()
        {
            SamplingCalls = calls,
            MinimumCalls = 10,
            FailureRatio = slow is null ? 0.9 : null,
            SlowCallThreshold = slow,
            SlowCallRatio = 0.9,
            ConsecutiveFailures = slow is null ? null : 50,
        };
        CircuitBreaker breaker = new(Options(null, null), time);
        breaker.TryEnter(out CircuitPermit permit);
        breaker.Exit(permit, Verdict.Failure);
        breaker.TakeSnapshot().Should().Match<CircuitSnapshot>(s => s.Calls == 1 && s.Failures == 1 && s.SlowCalls == 0 && s.OverdueCalls == 0);
        breaker.Update(Options(20, null));
        breaker.TakeSnapshot().Should().Match<CircuitSnapshot>(s => s.Calls == 1 && s.Failures == 1);
        breaker.Update(Options(20, TimeSpan.FromSeconds(1)));
        breaker.TryEnter(out CircuitPermit slow);
        time.Advance(TimeSpan.FromSeconds(3));
        breaker.TakeSnapshot().OverdueCalls.Should().Be(1);
        breaker.Exit(slow, Verdict.Success);
        breaker.TakeSnapshot().Should().Match<CircuitSnapshot>(s => s.Calls == 1 && s.SlowCalls == 1 && s.Failures == 0 && s.OverdueCalls == 0);
        breaker.Isolate();
        breaker.TakeSnapshot().Should().Match<CircuitSnapshot>(s => s.Calls == 0 && s.SlowCalls == 0 && s.ConsecutiveFailures == 0 && s.OverdueCalls == 0);
    }

    [Fact]
    public async Task A_limit_used_alone_rejects_at_once_or_waits_as_its_queue_says()
    {
        ConcurrencyLimit closed = new(new() { MaxConcurrent = 1 }), open = new(new() { MaxConcurrent = 1, MaxQueued = 1, MaxWait = TimeSpan.FromMinutes(1) });
        (await closed.EnterAsync()).Should().BeNull();
        (await closed.EnterAsync())!.Why.Should().Be(LimitReason.QueueFull);
        (await open.EnterAsync()).Should().BeNull();
        Task<LimitRejection?> waiting = open.EnterAsync().AsTask();
        open.Release();
        (await waiting).Should().BeNull();
    }

    [Fact]
    public async Task A_wait_for_a_place_is_no_longer_than_the_call_has_left()
    {
        ManualTime time = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = 1, MaxQueued = 5, MaxWait = TimeSpan.FromMinutes(1) }).Build();
        TaskCompletionSource<int> first = new();
        Task<int> running = pipeline.ExecuteAsync(_ => new ValueTask<int>(first.Task)).AsTask();
        Outcome<int> rejected = await pipeline.TryExecuteAsync(new() { Deadline = TimeSpan.Zero }, static (_, _) => new ValueTask<int>(1), 0);
        rejected.IsSuccess.Should().BeFalse("there is no time left to wait in");
        first.SetResult(1);
        await running;
    }

    [Fact]
    public void Moments_and_spans_are_counted_without_overflow()
    {
        Clock.ToMs(Timeout.InfiniteTimeSpan).Should().Be(Clock.Never);
        Clock.ToMs(TimeSpan.MaxValue).Should().Be(Clock.Never);
        (Clock.ToMs(TimeSpan.FromTicks(-1)), Clock.ToMs(TimeSpan.Zero), Clock.ToMs(TimeSpan.FromTicks(1)), Clock.ToMs(TimeSpan.FromMilliseconds(3)))
            .Should().Be((0, 0, 1, 3));
        Clock.After(5, TimeSpan.FromMilliseconds(3)).Should().Be(8);
        Clock.After(-5, TimeSpan.FromMilliseconds(3)).Should().Be(-2);
        Clock.After(5, TimeSpan.MaxValue).Should().Be(Clock.Never);
        Clock.After(Clock.Never - 1, TimeSpan.FromMilliseconds(3)).Should().Be(Clock.Never);
        Clock.For(new ManualTime(300) { Timestamp = 450 }).NowMs.Should().Be(1500, "a clock whose ticks are no whole part of a millisecond");
    }

    [Theory]
    [InlineData("0:00:00", "0 ms")]
    [InlineData("0:00:00.0000001", "0.0001 ms")]
    [InlineData("-0:00:00.0000001", "-0.0001 ms")]
    [InlineData("0:00:00.25", "250 ms")]
    [InlineData("0:00:01.5", "1.5 s")]
    [InlineData("0:01:59.9999", "120 s")]
    [InlineData("0:02:00", "2 min")]
    [InlineData("0:02:30.75", "2 min 30 s")]
    [InlineData("0:48:00.723", "48 min")]
    [InlineData("1:02:05", "62 min 5 s")]
    [InlineData("2:00:00", "2 h")]
    [InlineData("1.02:00:01", "26 h 1 s")]
    [InlineData("2.03:04:05", "2 d 3 h 4 min 5 s")]
    [InlineData("3653.00:00:00", "3653 d")]
    [InlineData("-3.00:00:00", "-3 d")]
    public void A_span_is_written_in_one_way(string span, string text) =>
        TimeText.Of(TimeSpan.Parse(span, System.Globalization.CultureInfo.InvariantCulture)).Should().Be(text);

    [Fact]
    public void Spans_at_the_ends_are_written_too()
    {
        TimeText.Of(TimeSpan.MaxValue).Should().Be("unlimited");
        TimeText.Of(Timeout.InfiniteTimeSpan).Should().Be("unlimited");
        TimeText.Of(TimeSpan.MinValue).Should().StartWith("-10675199 d");
        TimeText.Of(TimeSpan.MaxValue - TimeSpan.FromTicks(1)).Should().StartWith("10675199 d 2 h");
    }

    [Fact]
    public void The_most_attempts_of_a_retry_are_those_of_its_most_patient_rule()
    {
        int? Max(params RetryRule[] rules)
        {
            RetryOptions options = new() { MaxRetries = 2 };
            foreach (RetryRule rule in rules) options.Rules.Add(rule);
            return new ResiliencePipelineBuilder().AddRetry(options).Build().Describe().Policies[0].MaxAttempts;
        }

        Max().Should().Be(3);
        Max(RetryRule.On<IOException>(5), RetryRule.On<TimeoutException>()).Should().Be(6);
        Max(RetryRule.On<IOException>(RetryOptions.Unlimited)).Should().BeNull();
    }
}
