namespace Resilience.Tests.Retry;

/// <summary>What a call through a retry does, seen from outside.</summary>
public class RetryPipelineTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly WatchedTime _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private static RetryOptions Plain(Action<RetryOptions>? change = null)
    {
        RetryOptions options = new() { Jitter = BackoffJitter.None };
        change?.Invoke(options);
        return options;
    }

    private static RetryOptions AtOnce(Action<RetryOptions>? change = null)
    {
        RetryOptions options = new() { BaseDelay = TimeSpan.Zero };
        change?.Invoke(options);
        return options;
    }

    private ResiliencePipeline Pipeline(RetryOptions options, ResiliencePolicy? below = null, OutcomeClassifier? classifier = null)
    {
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder { TimeProvider = _time, Name = "p" }.OnEvent(_events.Add).AddRetry(options);
        if (classifier is not null) builder.Classifier = classifier;
        return (below is null ? builder : builder.AddPolicy(below)).Build();
    }

    private async Task<(Outcome<int> Outcome, TimeSpan[] Waits)> RunAsync(RetryOptions options, Script script, ResiliencePolicy? below = null) =>
        await _time.DriveAsync(Pipeline(options, below).TryExecuteAsync(script.RunAsync));

    [Fact]
    public async Task First_success_is_returned_when_nothing_fails()
    {
        Script script = new();
        (Outcome<int> outcome, TimeSpan[] waits) = await RunAsync(new(), script);
        outcome.Value.Should().Be(0);
        waits.Should().BeEmpty();
        _events.Should().BeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Failures_are_repeated_after_growing_waits(bool asynchronously)
    {
        Script script = new(failures: 3) { Asynchronously = asynchronously };
        (Outcome<int> outcome, TimeSpan[] waits) = await RunAsync(Plain(), script);
        outcome.Value.Should().Be(3);
        waits.Select(w => w.TotalMilliseconds).Should().Equal(200, 400, 800);
    }

    [Fact]
    public async Task Failure_thrown_before_the_first_await_is_repeated()
    {
        int attempts = 0;
        ResiliencePipeline pipeline = Pipeline(AtOnce());
        int answer = await pipeline.ExecuteAsync(ValueTask<int> (_) => attempts++ == 0 ? throw new IOException() : new(7));
        answer.Should().Be(7);
        attempts.Should().Be(2);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public async Task Last_failure_is_returned_unmarked_when_retries_are_used_up(int maxRetries)
    {
        Script script = new(failures: 100);
        (Outcome<int> outcome, _) = await RunAsync(AtOnce(o => o.MaxRetries = maxRetries), script);
        outcome.Exception.Should().BeSameAs(script.Thrown[^1]);
        outcome.DoNotRetry.Should().BeFalse();
        script.Attempts.Should().Be(maxRetries + 1);
        _events[^1].Should().BeEquivalentTo(new RetryStopped("p", "retry", maxRetries, RetryStopReason.Attempts, "System.IO.IOException"),
            o => o.Excluding(e => e.Name == nameof(RetryStopped.Explanation)));
    }

    [Fact]
    public async Task Unlimited_retries_go_on_when_asked_for_by_name()
    {
        Script script = new(failures: 10_000);
        (Outcome<int> outcome, _) = await RunAsync(
            AtOnce(o => (o.MaxRetries, o.Budget) = (RetryOptions.Unlimited, RetryBudget.Unlimited)), script);
        outcome.Value.Should().Be(10_000);
        _time.Timers.Should().Be(0, "a wait of zero arms no timer");
    }

    [Theory]
    [InlineData(Verdict.Success, 1)]
    [InlineData(Verdict.Ignored, 1)]
    [InlineData(Verdict.Failure, 4)]
    public async Task Verdict_of_a_result_decides_whether_it_is_repeated(Verdict verdict, int attempts)
    {
        int made = 0;
        ResiliencePipeline pipeline = Pipeline(AtOnce(), null, OutcomeClassifier.Default.OnResult<int>(_ => verdict));
        Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(made++));
        made.Should().Be(attempts);
        outcome.Verdict.Should().Be(verdict);
        outcome.Value.Should().Be(attempts - 1);
    }

    [Theory]
    [InlineData(Verdict.Ignored, 1)]
    [InlineData(Verdict.Rejected, 1)]
    [InlineData(Verdict.Failure, 4)]
    public async Task Verdict_of_an_exception_decides_whether_it_is_repeated(Verdict verdict, int attempts)
    {
        Script script = new(failures: 9);
        ResiliencePipeline pipeline = Pipeline(AtOnce(), null, OutcomeClassifier.Default.On<IOException>(verdict));
        (await pipeline.TryExecuteAsync(script.RunAsync)).Exception.Should().BeSameAs(script.Thrown[^1]);
        script.Attempts.Should().Be(attempts);
    }

    [Fact]
    public async Task Rejection_is_returned_at_once_unless_waiting_is_asked_for()
    {
        Door door = new(rejections: 1, Second);
        (Outcome<int> outcome, TimeSpan[] waits) = await RunAsync(Plain(), new(), door);
        outcome.Rejection.Should().BeOfType<TestRejection>();
        waits.Should().BeEmpty();
        door.Asked.Should().Be(1);
    }

    [Fact]
    public async Task Rejection_is_waited_for_when_it_says_how_long()
    {
        (Outcome<int> outcome, TimeSpan[] waits) = await RunAsync(Plain(o => o.WaitForRejections = true), new(), new Door(2, Second * 3));
        outcome.Value.Should().Be(0);
        waits.Should().Equal(Second * 3, Second * 3);
        _events.OfType<RetryScheduled>().Should().OnlyContain(e => e.AskedFor && e.Reason.EndsWith("TestRejection"));
    }

    [Fact]
    public async Task Rejection_that_does_not_say_how_long_is_returned_even_when_waiting_is_asked_for()
    {
        (Outcome<int> outcome, TimeSpan[] waits) = await RunAsync(Plain(o => o.WaitForRejections = true), new(), new Door(1, null));
        outcome.Verdict.Should().Be(Verdict.Rejected);
        waits.Should().BeEmpty();
    }

    [Fact]
    public async Task The_delegate_sees_the_number_of_its_attempt()
    {
        List<int> numbers = [];
        Outcome<int> outcome = await Pipeline(AtOnce()).TryExecuteAsync(new CallOptions(), (context, _) =>
        {
            numbers.Add(context.Attempt);
            return ValueTask.FromException<int>(new IOException());
        }, 0);
        numbers.Should().Equal(0, 1, 2, 3);
    }

    [Fact]
    public async Task Should_retry_can_only_say_no()
    {
        Script script = new(failures: 9);
        (Outcome<int> outcome, _) = await RunAsync(AtOnce(o => o.ShouldRetry = a => a.Number < 1), script);
        script.Attempts.Should().Be(2);
        outcome.DoNotRetry.Should().BeFalse();
        _events[^1].Should().BeOfType<RetryStopped>().Which.Cause.Should().Be(RetryStopReason.NotAllowed);

        Script ignored = new(failures: 1) { Failure = _ => new ArgumentException("wrong") };
        await RunAsync(AtOnce(o => o.ShouldRetry = _ => true), ignored);
        ignored.Attempts.Should().Be(1);
    }

    [Fact]
    public async Task Delegates_see_the_failure()
    {
        List<AttemptResult> seen = [];
        ResiliencePipeline pipeline = Pipeline(AtOnce(o => o.OnRetry = (a, _) => seen.Add(a)), null,
            OutcomeClassifier.Default.OnResult<int>(v => v < 0 ? Verdict.Failure : null));
        int number = 0;
        await pipeline.ExecuteAsync(_ => number++ switch { 0 => throw new IOException(), 1 => new ValueTask<int>(-5), _ => new ValueTask<int>(1) });
        seen.Select(a => a.Number).Should().Equal(0, 1);
        seen[0].Exception.Should().BeOfType<IOException>();
        seen[0].Result.Should().BeNull();
        seen[0].TryGetResult(out int _).Should().BeFalse();
        seen[1].Exception.Should().BeNull();
        seen[1].TryGetResult(out int result).Should().BeTrue();
        result.Should().Be(-5);
        seen[1].TryGetResult(out string? _).Should().BeFalse();
    }

    [Fact]
    public async Task Callbacks_that_throw_do_not_break_the_call()
    {
        Exception Thrown() => throw new InvalidOperationException("bug in a callback");
        Script stopped = new(failures: 1);
        await RunAsync(AtOnce(o => o.ShouldRetry = _ => throw Thrown()), stopped);
        stopped.Attempts.Should().Be(1, "a broken ShouldRetry means no");

        (Outcome<int> outcome, TimeSpan[] waits) = await RunAsync(Plain(o =>
        {
            o.RetryAfter = _ => throw Thrown();
            o.OnRetry = (_, _) => throw Thrown();
            o.Rules.Add(RetryRule.When(_ => throw Thrown(), maxRetries: 0));
        }), new(failures: 1));
        outcome.Value.Should().Be(1);
        waits.Should().Equal(TimeSpan.FromMilliseconds(200));
    }

    [Fact]
    public async Task First_rule_that_matches_sets_limit_and_waits()
    {
        RetryOptions options = Plain(o =>
        {
            o.Rules.Add(RetryRule.On<EndOfStreamException>(maxRetries: 0));
            o.Rules.Add(RetryRule.On<IOException>(maxRetries: 5, Backoff.Constant(Second, BackoffJitter.None)));
            o.Rules.Add(RetryRule.When(a => a.Exception is TimeoutException, RetryOptions.Unlimited));
        });
        Script io = new(failures: 99);
        (_, TimeSpan[] waits) = await RunAsync(options, io);
        waits.Should().Equal(Enumerable.Repeat(Second, 5));

        Script never = new(failures: 99) { Failure = _ => new EndOfStreamException() };
        await RunAsync(options, never);
        never.Attempts.Should().Be(1);

        Script plain = new(failures: 99) { Failure = _ => new HttpRequestException() };
        await RunAsync(options, plain);
        plain.Attempts.Should().Be(4);

        Script patient = new(failures: 20) { Failure = _ => new TimeoutException() };
        (await RunAsync(options, patient)).Outcome.Value.Should().Be(20);
    }

    [Fact]
    public async Task Events_come_in_order()
    {
        await RunAsync(Plain(o => o.MaxRetries = 2), new(failures: 9));
        _events.Select(e => e switch
        {
            RetryStopped stopped => stopped with { Explanation = "", Because = "" },
            RetryScheduled scheduled => scheduled with { Exception = null, AttemptDuration = null },
            _ => e,
        }).Should().Equal(
            new RetryScheduled("p", "retry", 0, TimeSpan.FromMilliseconds(200), "System.IO.IOException", false),
            new RetryScheduled("p", "retry", 1, TimeSpan.FromMilliseconds(400), "System.IO.IOException", false),
            new RetryStopped("p", "retry", 2, RetryStopReason.Attempts, "System.IO.IOException"));
    }

    [Fact]
    public async Task Discarded_results_are_disposed_and_the_returned_one_is_not()
    {
        List<Answer> made = [];
        ResiliencePipeline pipeline = Pipeline(AtOnce(), null, OutcomeClassifier.Default.OnResult<Answer>(a => a.IsBad ? Verdict.Failure : null));
        Answer Make(bool isBad)
        {
            made.Add(new(isBad));
            return made[^1];
        }

        Answer good = await pipeline.ExecuteAsync(_ => new ValueTask<Answer>(Make(made.Count < 2)));
        made.Select(a => a.Disposals).Should().Equal(1, 1, 0);
        good.Should().BeSameAs(made[2]);

        made.Clear();
        Answer last = await pipeline.ExecuteAsync(_ => new ValueTask<Answer>(Make(true)));
        made.Select(a => a.Disposals).Should().Equal(1, 1, 1, 0);
        last.Should().BeSameAs(made[3]);
    }

    [Fact]
    public void Options_out_of_range_are_rejected_in_one_message()
    {
        RetryOptions options = new()
        {
            MaxRetries = -2,
            BackoffKind = (BackoffKind)9,
            BaseDelay = TimeSpan.FromTicks(-1),
            MaxDelay = TimeSpan.MaxValue,
            Factor = double.NaN,
            Jitter = (BackoffJitter)9,
            MaxRetryAfter = TimeSpan.MaxValue,
        };
        options.Rules.Add(null!);
        ((Action)(() => Pipeline(options))).Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option)
            .Should().Equal("MaxRetries", "BackoffKind", "BaseDelay", "Factor", "Jitter", "MaxRetryAfter", "MaxDelay", "Rules[0]");
        new RetryOptions { BaseDelay = Second, MaxDelay = Second / 2 }.FindProblems().Should().ContainSingle().Which.Option.Should().Be("MaxDelay");
        new RetryOptions { BackoffKind = BackoffKind.Constant, BaseDelay = Second * 9 }.FindProblems().Should().BeEmpty();
        ((Action)(() => RetryRule.On<IOException>(-2))).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Description_tells_attempts_and_delays()
    {
        PolicyDescription Of(Action<RetryOptions> change) => Pipeline(Plain(change)).Describe().Policies[0];
        PolicyDescription plain = Of(_ => { });
        (plain.Role, plain.MaxAttempts, plain.FirstDelay, plain.TotalDelay).Should()
            .Be((PolicyRole.Retry, 4, TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(1400)));
        plain.ToString().Should().Contain("MaxRetries = 3").And.Contain("exponential 200 ms to 5 s by 2").And.Contain("0.2 per call + 10/s over 10 s");
        PolicyDescription none = Of(o => o.MaxRetries = 0);
        (none.MaxAttempts, none.FirstDelay, none.TotalDelay).Should().Be((1, null, TimeSpan.Zero));
        PolicyDescription endless = Of(o => o.MaxRetries = RetryOptions.Unlimited);
        (endless.MaxAttempts, endless.TotalDelay).Should().Be((null, null));
        Of(o => o.MaxRetries = int.MaxValue).MaxAttempts.Should().Be(int.MaxValue);
        Of(o => o.Rules.Add(RetryRule.On<IOException>(maxRetries: 9))).MaxAttempts.Should().Be(10);
    }

    [Fact]
    public void Configuring_overload_starts_from_the_defaults()
    {
        PolicyDescription described = new ResiliencePipelineBuilder().AddRetry(o => o.MaxRetries = 1).AddRetry().Build().Describe().Policies[0];
        described.MaxAttempts.Should().Be(2);
        ((Action)(() => new ResiliencePipelineBuilder().AddRetry((RetryOptions)null!))).Should().Throw<ArgumentNullException>();
        ((Action)(() => new ResiliencePipelineBuilder().AddRetry((Action<RetryOptions>)null!))).Should().Throw<ArgumentNullException>();
    }

    [Theory]
    [InlineData(RetryOptions.Unlimited, null)]
    [InlineData(int.MaxValue, RetryStopReason.Attempts)]
    public void Decision_does_not_overflow_when_the_attempt_is_the_last_int(int maxRetries, RetryStopReason? cause)
    {
        RetryPolicy policy = new(Plain(o => o.MaxRetries = maxRetries), PolicyEnvironment.Standalone("retry", _time));
        Call<int> context = Call<ContextInvocation<int, int>, int>.MakeShown(new((_, _) => new(0), 0));
        context.Begin(new CallSite("", Clock.For(_time), CallInstruments.For(ResilienceTelemetry.Meter)), default);
        RetryDecision decision = policy.Decide(new(int.MaxValue, Verdict.Failure, OutcomeMarks.None, new IOException(), null, null, null, context), false,
            Second);
        decision.Cause.Should().Be(cause);
        decision.Delay.Should().Be(cause is null ? Second * 5 : TimeSpan.Zero);
    }

    [Fact]
    public async Task Waits_are_the_same_when_the_randomness_is_seeded_alike()
    {
        async Task<TimeSpan[]> WaitsAsync(BackoffKind kind)
        {
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time, Randomness = Randomness.Seeded(5) }
                .AddRetry(new RetryOptions { BackoffKind = kind }).Build();
            return (await _time.DriveAsync(pipeline.TryExecuteAsync(new Script(failures: 9).RunAsync))).Waits;
        }

        foreach (BackoffKind kind in Enum.GetValues<BackoffKind>())
        {
            TimeSpan[] waits = await WaitsAsync(kind);
            waits.Should().HaveCount(3).And.OnlyHaveUniqueItems().And.Equal(await WaitsAsync(kind));
        }
    }

    [Fact]
    public async Task Wait_is_the_ceiling_when_the_generator_throws()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time, Randomness = new Broken() }.AddRetry().Build();
        (Outcome<int> outcome, TimeSpan[] waits) = await _time.DriveAsync(pipeline.TryExecuteAsync(new Script(failures: 1).RunAsync));
        outcome.Value.Should().Be(1);
        waits.Should().Equal(TimeSpan.FromMilliseconds(200));
    }

    [Fact]
    public async Task Decorrelated_waits_grow_from_the_wait_before()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time, Randomness = new Highest() }
            .AddRetry(new RetryOptions { BackoffKind = BackoffKind.Decorrelated }).Build();
        (await _time.DriveAsync(pipeline.TryExecuteAsync(new Script(failures: 9).RunAsync))).Waits
            .Should().Equal(TimeSpan.FromMilliseconds(600), TimeSpan.FromMilliseconds(1800), Second * 5);
    }

    private sealed class Highest : Randomness
    {
        public override double NextDouble() => Math.BitDecrement(1.0);
    }

    private sealed class Broken : Randomness
    {
        public override double NextDouble() => throw new InvalidOperationException("out of numbers");
    }
}
