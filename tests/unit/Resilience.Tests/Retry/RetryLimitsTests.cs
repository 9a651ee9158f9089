namespace Resilience.Tests.Retry;

/// <summary>What ends or stretches a retry: pushback, deadline, cancellation, the budget, and layers that have given up.</summary>
public class RetryLimitsTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly WatchedTime _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private ResiliencePipelineBuilder Builder(Action<RetryOptions> change)
    {
        RetryOptions options = new() { Jitter = BackoffJitter.None };
        change(options);
        return new ResiliencePipelineBuilder { TimeProvider = _time }.OnEvent(_events.Add).AddRetry(options);
    }

    private async Task<TimeSpan[]> WaitsAsync(Action<RetryOptions> change, Script script, OutcomeClassifier? classifier = null)
    {
        ResiliencePipelineBuilder builder = Builder(change);
        if (classifier is not null) builder.Classifier = classifier;
        return (await _time.DriveAsync(builder.Build().TryExecuteAsync(script.RunAsync))).Waits;
    }

    private static void AtOnce(RetryOptions options) => options.BaseDelay = TimeSpan.Zero;

    // ---- pushback

    [Fact]
    public async Task Pushback_of_the_delegate_replaces_the_backoff() =>
        (await WaitsAsync(o => o.RetryAfter = a => a.Number == 0 ? Second * 3 : null, new(failures: 2)))
            .Should().Equal(Second * 3, TimeSpan.FromMilliseconds(400));

    [Fact]
    public async Task Pushback_that_the_outcome_carries_is_honoured_and_the_delegate_comes_first()
    {
        OutcomeClassifier busyIsFailure = OutcomeClassifier.Default.On<BusyException>(Verdict.Failure);
        Script Busy() => new(failures: 1) { Failure = _ => new BusyException(Second * 7) };
        (await WaitsAsync(_ => { }, Busy(), busyIsFailure)).Should().Equal(Second * 7);
        (await WaitsAsync(o => o.RetryAfter = _ => Second, Busy(), busyIsFailure)).Should().Equal(Second);
    }

    [Theory]
    [InlineData(9, true)]
    [InlineData(9.0000001, false)]
    [InlineData(600, false)]
    public async Task Pushback_beyond_the_option_is_not_cut_but_ends_the_call(double seconds, bool isRepeated)
    {
        Script script = new(failures: 1);
        TimeSpan asked = TimeSpan.FromSeconds(seconds);
        ResiliencePipeline pipeline = Builder(o => (o.RetryAfter, o.MaxRetryAfter) = (_ => asked, Second * 9)).Build();
        (Outcome<int> outcome, TimeSpan[] waits) = await _time.DriveAsync(pipeline.TryExecuteAsync(script.RunAsync));
        waits.Should().Equal(isRepeated ? [asked] : []);
        script.Attempts.Should().Be(isRepeated ? 2 : 1);
        if (isRepeated) return;
        outcome.Exception.Should().BeSameAs(script.Thrown[0]);
        outcome.DoNotRetry.Should().BeTrue("a layer above would only come back too early");
        ((RetryStopped)_events.Single()).Cause.Should().Be(RetryStopReason.RetryAfter);
    }

    [Fact]
    public async Task Pushback_is_spread_upwards_and_never_costs_the_retry()
    {
        async Task<TimeSpan> WaitAsync(double drawn, double share, TimeSpan? deadline = null)
        {
            Script script = new(failures: 1);
            ResiliencePipelineBuilder builder = new() { TimeProvider = _time, Randomness = new Drawn(drawn) };
            ResiliencePipeline pipeline = builder.AddRetry(o => (o.RetryAfter, o.RetryAfterJitter) = (_ => Second * 10, share)).Build();
            (Outcome<int> outcome, TimeSpan[] waits) = await _time.DriveAsync(
                pipeline.TryExecuteAsync(new CallOptions { Deadline = deadline }, static (c, s) => s.RunAsync(c.CancellationToken), script));
            outcome.Value.Should().Be(1);
            return waits.Single(w => w >= Second * 10);
        }

        (await WaitAsync(0, 0.2)).Should().Be(Second * 10);
        (await WaitAsync(0.5, 0.2)).Should().Be(Second * 11);
        (await WaitAsync(0.5, 0)).Should().Be(Second * 10);
        (await WaitAsync(0.5, 1)).Should().Be(Second * 15);
        (await WaitAsync(double.NaN, 0.2)).Should().Be(Second * 10);
        (await WaitAsync(double.PositiveInfinity, 0.2)).Should().Be(Second * 12);
        (await WaitAsync(-3, 0.2)).Should().Be(Second * 10);
        (await WaitAsync(1, 1, Second * 12)).Should().Be(Second * 11, "half of what the deadline leaves");
    }

    private sealed class Drawn(double number) : Randomness
    {
        public override double NextDouble() => number;
    }

    [Fact]
    public async Task Pushback_of_zero_that_the_outcome_carries_says_nothing()
    {
        OutcomeClassifier busyIsFailure = OutcomeClassifier.Default.On<BusyException>(Verdict.Failure);
        Script busy = new(failures: 1) { Failure = _ => new BusyException(TimeSpan.Zero) };
        (await WaitsAsync(_ => { }, busy, busyIsFailure)).Should().Equal(TimeSpan.FromMilliseconds(200));
    }

    [Fact]
    public async Task No_computed_wait_is_longer_than_the_option_whatever_the_kind()
    {
        foreach (BackoffKind kind in Enum.GetValues<BackoffKind>())
        {
            TimeSpan[] waits = await WaitsAsync(o => (o.BackoffKind, o.BaseDelay, o.MaxDelay, o.MaxRetries) = (kind, Second, Second * 2, 5), new(failures: 5));
            waits.Should().HaveCount(5).And.OnlyContain(w => w <= Second * 2);
            new RetryOptions { BackoffKind = kind, BaseDelay = Second * 9, MaxDelay = Second * 5 }.FindProblems().Should().ContainSingle()
                .Which.Option.Should().Be("MaxDelay");
            new RetryOptions { BackoffKind = kind, BaseDelay = Second * 9 }.FindProblems().Should().BeEmpty("one number changed alone is no contradiction");
            new RetryOptions { BackoffKind = kind, BaseDelay = Second * 9 }.MaxDelay.Should().Be(Second * 9);
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public async Task Negative_pushback_is_no_pushback(long ticks) =>
        (await WaitsAsync(o => o.RetryAfter = _ => TimeSpan.FromTicks(ticks), new(failures: 1))).Should().Equal(TimeSpan.FromMilliseconds(200));

    [Fact]
    public async Task Pushback_of_zero_retries_at_once_unless_the_backoff_is_the_minimum()
    {
        (await WaitsAsync(o => o.RetryAfter = _ => TimeSpan.Zero, new(failures: 1))).Should().BeEmpty();
        (await WaitsAsync(o => (o.RetryAfter, o.BackoffIsMinimum) = (_ => TimeSpan.Zero, true), new(failures: 1)))
            .Should().Equal(TimeSpan.FromMilliseconds(200));
        (await WaitsAsync(o => (o.RetryAfter, o.BackoffIsMinimum) = (_ => Second, true), new(failures: 1))).Should().Equal(Second);
    }

    [Fact]
    public async Task Wait_is_rounded_up_to_a_millisecond_so_that_it_is_never_early() =>
        (await WaitsAsync(o => o.RetryAfter = _ => TimeSpan.FromTicks(12_345), new(failures: 1))).Should().Equal(TimeSpan.FromMilliseconds(2));

    [Fact]
    public async Task Asked_wait_is_resumed_when_the_timer_fires_early()
    {
        bool fired = false;
        WatchedTime time = new() { FiresAt = due => Interlocked.Exchange(ref fired, true) ? due : due - TimeSpan.FromMilliseconds(3) };
        Script script = new(failures: 1);
        RetryOptions options = new() { RetryAfter = _ => Second, RetryAfterJitter = 0 };
        ValueTask<Outcome<int>> call = new ResiliencePipelineBuilder { TimeProvider = time }.AddRetry(options).Build().TryExecuteAsync(script.RunAsync);
        (Outcome<int> outcome, TimeSpan[] waits) = await time.DriveAsync(call);
        outcome.Value.Should().Be(1);
        waits.Should().Equal(Second - TimeSpan.FromMilliseconds(3), TimeSpan.FromMilliseconds(3));
    }

    // ---- deadline

    private ValueTask<Outcome<int>> CallWithDeadline(ResiliencePipeline pipeline, Script script, TimeSpan deadline) =>
        pipeline.TryExecuteAsync(new CallOptions { Deadline = deadline }, (context, s) => s.RunAsync(context.CancellationToken), script);

    [Fact]
    public async Task D11_last_failure_is_returned_at_once_when_the_wait_does_not_fit_the_deadline()
    {
        Script script = new(failures: 9);
        ResiliencePipeline pipeline = Builder(o => o.BaseDelay = TimeSpan.FromMilliseconds(600)).Build();
        ValueTask<Outcome<int>> call = CallWithDeadline(pipeline, script, TimeSpan.FromMilliseconds(200));
        Outcome<int> outcome = await call;
        outcome.Exception.Should().BeSameAs(script.Thrown.Single());
        outcome.DoNotRetry.Should().BeTrue();
        _time.Timers.Should().Be(0);
        _events.Should().ContainSingle().Which.Should().BeOfType<RetryStopped>().Which.Cause.Should().Be(RetryStopReason.Deadline);
    }

    [Theory]
    [InlineData(200, 0)]
    [InlineData(201, 1)]
    [InlineData(600, 1)]
    [InlineData(601, 2)]
    public async Task Retry_is_made_when_time_is_left_for_an_attempt(int deadlineMs, int retries)
    {
        Script script = new(failures: 9);
        await _time.DriveAsync(CallWithDeadline(Builder(_ => { }).Build(), script, TimeSpan.FromMilliseconds(deadlineMs)));
        script.Attempts.Should().Be(1 + retries);
    }

    [Fact]
    public async Task Deadline_does_not_spend_the_budget()
    {
        RetryBudget budget = new(new() { Ratio = 0, MinRetriesPerSecond = 1 }, _time);
        await CallWithDeadline(Builder(o => o.Budget = budget).Build(), new(failures: 9), TimeSpan.FromMilliseconds(100));
        budget.Balance.Should().Be(10);
    }

    // ---- cancellation

    [Fact]
    public async Task Cancellation_in_the_wait_carries_the_last_failure()
    {
        using CancellationTokenSource cancel = new();
        Script script = new(failures: 9);
        Task<Outcome<int>> call = Builder(_ => { }).Build().TryExecuteAsync(script.RunAsync, cancel.Token).AsTask();
        await _time.NextTimerAsync();
        await cancel.CancelAsync();
        Outcome<int> outcome = await call;
        outcome.Verdict.Should().Be(Verdict.Ignored);
        OperationCanceledException cancelled = outcome.Exception.Should().BeOfType<OperationCanceledException>().Subject;
        cancelled.InnerException.Should().BeSameAs(script.Thrown.Single());
        cancelled.CancellationToken.Should().Be(cancel.Token);
    }

    [Fact]
    public async Task Cancellation_in_the_wait_tells_of_a_result_that_failed()
    {
        using CancellationTokenSource cancel = new();
        Answer bad = new(true);
        ResiliencePipelineBuilder builder = Builder(_ => { });
        builder.Classifier = OutcomeClassifier.Default.OnResult<Answer>(_ => Verdict.Failure);
        Task<Outcome<Answer>> call = builder.Build().TryExecuteAsync(_ => new ValueTask<Answer>(bad), cancel.Token).AsTask();
        await _time.NextTimerAsync();
        await cancel.CancelAsync();
        (await call).Exception!.InnerException!.Message.Should().Contain(nameof(Answer)).And.Contain("failure");
        bad.Disposals.Should().Be(1);
    }

    [Fact]
    public async Task Cancellation_before_the_wait_arms_no_timer_and_spends_nothing()
    {
        using CancellationTokenSource cancel = new();
        RetryBudget budget = new(new() { Ratio = 0, MinRetriesPerSecond = 1 }, _time);
        int attempts = 0;
        Outcome<int> outcome = await Builder(o => o.Budget = budget).Build().TryExecuteAsync(ValueTask<int> (_) =>
        {
            attempts++;
            cancel.Cancel();
            throw new IOException("failed while the caller left");
        }, cancel.Token);
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeOfType<IOException>("the caller gets what the attempt ended with");
        (attempts, _time.Timers, budget.Balance).Should().Be((1, 0, 10));
        _events.Should().BeEmpty();
    }

    [Fact]
    public async Task Cancellation_between_attempts_without_wait_ends_the_loop()
    {
        using CancellationTokenSource cancel = new();
        Script script = new(failures: int.MaxValue);
        Outcome<int> outcome = await Builder(o =>
        {
            AtOnce(o);
            o.MaxRetries = RetryOptions.Unlimited;
            o.Budget = RetryBudget.Unlimited;
            o.OnRetry = (a, _) => { if (a.Number == 50) cancel.Cancel(); };
        }).Build().TryExecuteAsync(script.RunAsync, cancel.Token);
        script.Attempts.Should().Be(51);
        outcome.Exception.Should().BeOfType<OperationCanceledException>();
    }

    [Fact]
    public async Task Cancellation_inside_an_attempt_is_returned_as_it_is()
    {
        using CancellationTokenSource cancel = new();
        int attempts = 0;
        Outcome<int> outcome = await Builder(AtOnce).Build().TryExecuteAsync(ValueTask<int> (ct) =>
        {
            attempts++;
            cancel.Cancel();
            ct.ThrowIfCancellationRequested();
            return new(1);
        }, cancel.Token);
        attempts.Should().Be(1);
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception!.InnerException.Should().BeNull();
    }

    // ---- budget

    [Fact]
    public async Task Spent_budget_returns_the_last_failure_marked()
    {
        RetryBudget budget = new(new() { Ratio = 0, MinRetriesPerSecond = 0.1 }, _time);
        Script script = new(failures: 9);
        ResiliencePipeline pipeline = Builder(o => (o.BaseDelay, o.Budget) = (TimeSpan.Zero, budget)).Build();
        Outcome<int> outcome = await pipeline.TryExecuteAsync(script.RunAsync);
        script.Attempts.Should().Be(2);
        outcome.Exception.Should().BeSameAs(script.Thrown[^1]);
        outcome.DoNotRetry.Should().BeTrue();
        _events.Select(e => e.GetType()).Should().Equal(typeof(RetryScheduled), typeof(RetryStopped));
        ((RetryStopped)_events[^1]).Cause.Should().Be(RetryStopReason.Budget);
    }

    [Fact]
    public async Task Budget_is_shared_when_two_pipelines_have_the_same()
    {
        RetryBudget budget = new(new() { Ratio = 0, MinRetriesPerSecond = 0.4 }, _time);
        Action<RetryOptions> options = o => (o.BaseDelay, o.Budget) = (TimeSpan.Zero, budget);
        Script first = new(failures: 9), second = new(failures: 9);
        await Builder(options).Build().TryExecuteAsync(first.RunAsync);
        await Builder(options).Build().TryExecuteAsync(second.RunAsync);
        (first.Attempts, second.Attempts).Should().Be((4, 2));
    }

    [Fact]
    public async Task Call_deposits_once_when_it_reached_the_dependency()
    {
        RetryBudget budget = new(new() { Ratio = 1, MinRetriesPerSecond = 0 }, _time);
        ResiliencePipelineBuilder Make(int rejections = 0) =>
            Builder(o => (o.BaseDelay, o.Budget) = (TimeSpan.Zero, budget)).AddPolicy(new Door(rejections, null));
        await Make().Build().TryExecuteAsync(new Script().RunAsync);
        budget.Balance.Should().Be(1, "a success deposits");
        TaskCompletionSource<int> answer = new();
        ValueTask<Outcome<int>> pending = Make().Build().TryExecuteAsync(_ => new ValueTask<int>(answer.Task));
        answer.SetResult(1); // not before the retry has begun to wait for it
        await pending;
        budget.Balance.Should().Be(2, "also when it came later");
        budget.TryWithdraw();
        await Make().Build().TryExecuteAsync(new Script(failures: 1).RunAsync);
        budget.Balance.Should().Be(1, "a failure deposits one and its retry takes one");
        await Make().Build().TryExecuteAsync(new Script(failures: 1) { Failure = _ => new ArgumentException("wrong") }.RunAsync);
        await Make(rejections: 1).Build().TryExecuteAsync(new Script().RunAsync);
        budget.Balance.Should().Be(1, "neither a wrong request nor a rejection tells of the dependency");
    }

    [Fact]
    public async Task D8_extra_attempts_never_exceed_the_limit_when_ten_thousand_calls_fail_at_once()
    {
        const int Threads = 8, Calls = 10_000;
        RetryBudget budget = new(new() { Ratio = 0.2, MinRetriesPerSecond = 3 }, _time);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .AddRetry(new RetryOptions { BaseDelay = TimeSpan.Zero, Budget = budget }).Build();
        int attempts = 0;
        using Barrier start = new(Threads);
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Task.Factory.StartNew(() =>
        {
            start.SignalAndWait();
            for (int i = 0; i < Calls / Threads; i++)
            {
                ValueTask<Outcome<int>> call = pipeline.TryExecuteAsync(ValueTask<int> (_) =>
                {
                    Interlocked.Increment(ref attempts);
                    return ValueTask.FromException<int>(new IOException());
                });
                call.IsCompletedSuccessfully.Should().BeTrue();
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        (attempts - Calls).Should().BeLessThanOrEqualTo(2_030).And.BeGreaterThan(2_000, "the budget is there to be spent");
        budget.Balance.Should().BeApproximately(2_030 - (attempts - Calls), 0.0005);
    }

    [Fact]
    public async Task D9_budget_is_consistent_when_the_delegate_throws_in_the_middle()
    {
        RetryBudget budget = new(new() { Ratio = 0.5, MinRetriesPerSecond = 1 }, _time);
        Script script = new(failures: 9) { Failure = n => n < 2 ? new IOException() : new NullReferenceException("a bug, not the dependency") };
        Outcome<int> outcome = await Builder(o => (o.BaseDelay, o.Budget) = (TimeSpan.Zero, budget)).Build().TryExecuteAsync(script.RunAsync);
        outcome.Verdict.Should().Be(Verdict.Ignored);
        budget.Balance.Should().Be(10 + 0.5 - 2);
    }

    // ---- layers

    [Fact]
    public async Task Marked_failure_is_returned_unchanged()
    {
        Script script = new(failures: 9);
        Outcome<int> outcome = await Builder(AtOnce).AddPolicy(new Marker()).Build().TryExecuteAsync(script.RunAsync);
        script.Attempts.Should().Be(1);
        outcome.DoNotRetry.Should().BeTrue();
        ((RetryStopped)_events.Single()).Cause.Should().Be(RetryStopReason.Marked);
    }

    [Fact]
    public async Task Nested_retries_do_not_multiply_when_the_inner_budget_is_spent()
    {
        RetryBudget empty = new(new() { Ratio = 0, MinRetriesPerSecond = 0 }, _time);
        Script script = new(failures: 99);
        ResiliencePipeline pipeline = Builder(AtOnce).AddRetry(new RetryOptions { Budget = empty }).Build();
        await pipeline.TryExecuteAsync(script.RunAsync);
        script.Attempts.Should().Be(1);
    }

    [Fact]
    public async Task Nested_retries_do_not_multiply_when_the_inner_exception_is_thrown_through_the_delegate()
    {
        RetryBudget empty = new(new() { Ratio = 0, MinRetriesPerSecond = 0 }, _time);
        Script script = new(failures: 99);
        ResiliencePipeline inner = Builder(o => o.Budget = empty).Build();
        ResiliencePipeline outer = Builder(AtOnce).Build();
        Func<Task> call = async () => await outer.ExecuteAsync(async ct => await inner.ExecuteAsync(script.RunAsync, ct));
        await call.Should().ThrowAsync<IOException>();
        script.Attempts.Should().Be(1);
    }

    [Fact]
    public async Task Attempt_counts_all_attempts_of_the_call_when_retries_are_nested()
    {
        List<int> numbers = [];
        ResiliencePipeline pipeline = Builder(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 1))
            .AddRetry(new RetryOptions { BaseDelay = TimeSpan.Zero, MaxRetries = 2 }).Build();
        await pipeline.TryExecuteAsync(new CallOptions(), (context, _) =>
        {
            numbers.Add(context.Attempt);
            return ValueTask.FromException<int>(new IOException());
        }, 0);
        numbers.Should().Equal(0, 1, 2, 3, 4, 5);
    }
}
