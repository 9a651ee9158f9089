using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Hedging;

/// <summary>What keeps a hedge from starting, and what a race leaves to the policies around and inside it.</summary>
public sealed class HedgingLimitsTests
{
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(1), Patience = TimeSpan.FromSeconds(30);

    private readonly WatchedTime _time = new();
    private readonly List<ResilienceEvent> _events = [];
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ResiliencePipelineBuilder Empty() => new ResiliencePipelineBuilder { Name = "prices", TimeProvider = _time }.OnEvent(happened =>
    {
        _events.Add(happened);
        if (happened is HedgeSkipped) _stopped.TrySetResult();
    });

    private static Action<HedgingOptions> With(Action<HedgingOptions>? configure = null) => o =>
    {
        o.Delay = Delay;
        configure?.Invoke(o);
    };

    private static Task<Outcome<T>> InTime<T>(ValueTask<Outcome<T>> call) => call.AsTask().WaitAsync(Patience);

    private RetryBudget Spent() => new(new() { Ratio = 0, MinRetriesPerSecond = 0 }, _time);

    [Fact]
    public async Task A_spent_budget_starts_no_hedge_and_leaves_those_under_way_alone_and_marks_their_failure()
    {
        Attempts<int> attempts = new();
        ResiliencePipeline pipeline = Empty().AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddHedging(With(o => o.Budget = Spent())).Build();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(attempts.RunAsync));
        Attempts<int>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        await _stopped.Task.WaitAsync(Patience);
        first.Token.IsCancellationRequested.Should().BeFalse();
        first.Result.SetException(new IOException());
        Outcome<int> outcome = await call;
        (outcome.Verdict, outcome.DoNotRetry, attempts.Count).Should().Be((Verdict.Failure, true, 1));
        _events.OfType<HedgeSkipped>().Should().Equal(new HedgeSkipped("prices", "hedging", 1, HedgeSkipReason.Budget));
        _events.OfType<RetryStopped>().Single().Cause.Should().Be(RetryStopReason.Marked);
    }

    [Fact]
    public async Task A_hedge_that_could_not_begin_before_the_deadline_gets_no_timer()
    {
        Attempts<int> attempts = new();
        ResiliencePipeline pipeline = Empty().AddHedging(With()).Build();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(
            new CallOptions("x") { Deadline = TimeSpan.FromMilliseconds(900) }, static (c, a) => a.RunAsync(c), attempts));
        Attempts<int>.One first = await attempts.NextAsync();
        _time.Living.Should().Be(0);
        _time.Advance(TimeSpan.FromSeconds(1));
        first.Result.SetException(new IOException());
        (await call).DoNotRetry.Should().BeTrue("the deadline has passed");
        _events.Should().Equal(new HedgeSkipped("prices", "hedging", 0, HedgeSkipReason.Deadline) { Operation = "x" });
    }

    [Fact]
    public async Task An_attempt_that_must_not_be_repeated_is_not_hedged_and_the_retry_outside_does_not_repeat_it()
    {
        Attempts<int> attempts = new();
        ResiliencePipeline pipeline = Empty().AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddHedging(With()).Build();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(
            default,
            static (context, a) =>
            {
                context.ForbidRetry("it was charged");
                return a.RunAsync(context);
            },
            attempts));
        Attempts<int>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        await _stopped.Task.WaitAsync(Patience);
        first.Result.SetException(new IOException());
        (await call).Verdict.Should().Be(Verdict.Failure);
        attempts.Count.Should().Be(1);
        _events.OfType<HedgeSkipped>().Should().Equal(new HedgeSkipped("prices", "hedging", 1, HedgeSkipReason.NotAllowed) { Detail = "it was charged" });
        _events.OfType<RetryStopped>().Single().Detail.Should().Be("it was charged");
    }

    [Fact]
    public async Task A_failure_that_a_layer_below_has_marked_is_not_tried_again()
    {
        ResiliencePipeline pipeline = Empty().AddHedging(With()).AddRetry(o => (o.Budget, o.BaseDelay) = (Spent(), TimeSpan.Zero)).Build();
        int calls = 0;
        await InTime(pipeline.TryExecuteAsync<int>(_ => throw new IOException($"{calls++}")));
        calls.Should().Be(1);
        _events.OfType<HedgeSkipped>().Single().Cause.Should().Be(HedgeSkipReason.Marked);
    }

    [Fact]
    public async Task No_two_attempts_of_a_call_have_the_same_number_with_retries_outside_and_inside()
    {
        List<int> numbers = [];
        ResiliencePipeline pipeline = Empty()
            .AddRetry(o => (o.Name, o.MaxRetries, o.BaseDelay, o.Budget) = ("outer", 1, TimeSpan.Zero, RetryBudget.Unlimited))
            .AddHedging(With(o => (o.MaxAttempts, o.Budget) = (3, RetryBudget.Unlimited)))
            .AddRetry(o => (o.Name, o.MaxRetries, o.BaseDelay, o.Budget) = ("inner", 1, TimeSpan.Zero, RetryBudget.Unlimited)).Build();
        await InTime(pipeline.TryExecuteAsync<int, int>(default, (context, _) =>
        {
            numbers.Add(context.Attempt);
            throw new IOException();
        }, 0));
        numbers.Should().Equal(Enumerable.Range(0, 12));
    }

    [Fact]
    public async Task A_retry_inside_a_loser_and_one_inside_the_winner_count_in_one_line()
    {
        Attempts<int> attempts = new();
        ResiliencePipeline pipeline = Empty().AddHedging(With()).AddRetry(o => o.BaseDelay = TimeSpan.Zero).Build();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(default, static (c, a) => a.RunAsync(c), attempts));
        Attempts<int>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        Attempts<int>.One hedge = await attempts.NextAsync();
        first.Result.SetException(new IOException());
        Attempts<int>.One again = await attempts.NextAsync();
        hedge.Result.SetException(new IOException());
        Attempts<int>.One last = await attempts.NextAsync();
        last.Result.SetResult(1);
        (await call).IsSuccess.Should().BeTrue();
        new[] { first, hedge, again, last }.Select(a => a.Number).Should().Equal(0, 1, 2, 3);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_budget_that_retry_and_hedging_share_is_credited_once_for_each_call(bool isRetryOutside)
    {
        RetryBudget shared = new(new() { Ratio = 0.5, MinRetriesPerSecond = 0 }, _time);
        ResiliencePipelineBuilder builder = Empty();
        if (isRetryOutside) builder.AddRetry(o => o.Budget = shared);
        builder.AddHedging(With(o => o.Budget = shared));
        if (!isRetryOutside) builder.AddRetry(o => o.Budget = shared);
        ResiliencePipeline pipeline = builder.Build();
        for (int i = 0; i < 4; i++) await pipeline.ExecuteAsync(_ => new ValueTask<int>(1));
        shared.Balance.Should().BeApproximately(2, 0.01);
        await InTime(pipeline.TryExecuteAsync(async _ =>
        {
            await Task.Yield();
            return 1;
        }));
        shared.Balance.Should().BeApproximately(2.5, 0.01);
    }

    [Fact]
    public async Task A_timeout_around_ends_all_attempts()
    {
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(Empty().AddTimeout(TimeSpan.FromSeconds(3)).AddHedging(With()).Build().TryExecuteAsync(attempts.RunAsync));
        await attempts.NextAsync();
        await _time.PassAsync(TimeSpan.Zero); // the timeout's own
        await _time.PassAsync(Delay);
        await attempts.NextAsync();
        _time.Advance(TimeSpan.FromSeconds(2));
        (await call).Exception.Should().BeOfType<TimedOutException>();
        attempts.All.Select(a => a.Token.IsCancellationRequested).Should().Equal(true, true);
        _time.Living.Should().Be(0);
    }

    [Fact]
    public async Task A_timeout_inside_still_ends_the_call_at_the_callers_deadline()
    {
        Attempts<int> attempts = new();
        ResiliencePipeline pipeline = Empty().AddHedging(With()).AddTimeout(TimeSpan.FromSeconds(20)).Build();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(
            new CallOptions("x") { Deadline = TimeSpan.FromMilliseconds(900) }, static (c, a) => a.RunAsync(c), attempts));
        await attempts.NextAsync();
        _time.Advance(TimeSpan.FromSeconds(1));
        (await call).Verdict.Should().Be(Verdict.Ignored);
    }

    [Fact]
    public async Task A_loser_counts_for_nothing_with_the_breaker_and_the_limit_inside()
    {
        CircuitBreaker breaker = new(new() { FailureRatio = 1, MinimumCalls = 1 }, _time);
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 2 });
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(
            Empty().AddHedging(With()).AddCircuitBreaker(breaker).AddConcurrencyLimit(limit).Build().TryExecuteAsync(attempts.RunAsync));
        Attempts<int>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        (await attempts.NextAsync()).Result.SetResult(1);
        (await call).IsSuccess.Should().BeTrue();
        SpinWait.SpinUntil(() => limit.Running == 0, Patience).Should().BeTrue("the loser gives its place back");
        CircuitSnapshot after = breaker.TakeSnapshot();
        (after.State, after.Calls, after.Failures).Should().Be((CircuitState.Closed, 1, 0));
        first.Token.IsCancellationRequested.Should().BeTrue();
    }

    [Fact]
    public async Task A_loser_that_lives_on_touches_neither_the_call_nor_the_calls_after_it()
    {
        ResilienceProperty<int> note = new("note");
        Attempts<int> attempts = new() { Honor = false };
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }.AddPolicy(new Reads(note)).AddHedging(With()).Build();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(default, static (c, a) => a.RunAsync(c), attempts));
        Attempts<int>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        Attempts<int>.One second = await attempts.NextAsync();
        first.Context.Should().NotBeSameAs(second.Context);
        first.Context!.Set(note, 1);
        second.Context!.Set(note, 2);
        second.Result.SetResult(0);
        (await call).Value.Should().Be(2, "what the winner noted is the call's");
        first.Context.Set(note, 3);
        first.Context.CancellationToken = new(true);
        (await InTime(pipeline.TryExecuteAsync(_ => new ValueTask<int>(0)))).Value.Should().Be(-1);
        second.Context.Invoking(c => c.Attempt).Should().Throw<ObjectDisposedException>();
        first.Result.SetResult(0);
        SpinWait.SpinUntil(() => HasEnded(first.Context), Patience).Should().BeTrue("a copy ends with its attempt");

        static bool HasEnded(ResilienceContext context)
        {
            try
            {
                return context.Attempt < 0;
            }
            catch (ObjectDisposedException)
            {
                return true;
            }
        }
    }

    /// <summary>Answers with what the call has noted.</summary>
    private sealed class Reads(ResilienceProperty<int> note) : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            await next.ExecuteAsync(context);
            return Outcome.Success((T)(object)(context.TryGet(note, out int noted) ? noted : -1));
        }
    }

    [Fact]
    public async Task What_a_loser_throws_is_observed()
    {
        List<string> unobserved = [];
        EventHandler<UnobservedTaskExceptionEventArgs> hear = (_, e) => unobserved.Add(e.Exception.ToString());
        TaskScheduler.UnobservedTaskException += hear;
        try
        {
            await LoseAsync();
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= hear;
        }

        unobserved.Should().NotContain(e => e.Contains("thrown by the loser", StringComparison.Ordinal));

        async Task LoseAsync()
        {
            Attempts<int> attempts = new() { Honor = false };
            Task<Outcome<int>> call = InTime(Empty().AddHedging(With()).Build().TryExecuteAsync(attempts.RunAsync));
            Attempts<int>.One first = await attempts.NextAsync();
            await _time.PassAsync(Delay);
            (await attempts.NextAsync()).Result.SetResult(1);
            await call;
            first.Result.SetException(new IOException("thrown by the loser"));
        }
    }

    [Fact]
    public async Task A_loser_that_reacts_slowly_to_its_cancellation_does_not_hold_the_winner_up()
    {
        using ManualResetEventSlim blocks = new();
        int number = 0;
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddHedging(o => o.Delay = TimeSpan.Zero).Build();
        Task<int> call = pipeline.ExecuteAsync(async ct =>
        {
            if (Interlocked.Increment(ref number) == 2) return 2;
            TaskCompletionSource<int> never = new();
            ct.Register(() => blocks.Wait(Patience));
            return await never.Task;
        }).AsTask();
        (await call.WaitAsync(Patience)).Should().Be(2);
        blocks.IsSet.Should().BeFalse();
        blocks.Set();
    }

    [Fact]
    public async Task An_update_keeps_the_balance_of_the_budget()
    {
        ResiliencePipeline pipeline = Empty().AddHedging(o => o.BudgetOptions = new() { Ratio = 1, MinRetriesPerSecond = 0 }).Build();
        for (int i = 0; i < 5; i++) await pipeline.ExecuteAsync(_ => new ValueTask<int>(1));
        pipeline.Update(Empty().AddHedging(o => o.BudgetOptions = new() { Ratio = 0.5, MinRetriesPerSecond = 0 }));
        pipeline.Find<RetryBudget>()!.Balance.Should().BeApproximately(5, 0.01);
        pipeline.Describe().ToString().Should().Contain("Budget = 0.5 per call");
    }

    [Fact]
    public async Task Hedges_denials_and_wins_are_counted_and_seen_on_the_span()
    {
        Dictionary<string, string> counted = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (i, l) =>
            {
                if (i.Name.StartsWith("resilience.hedge", StringComparison.Ordinal)) l.EnableMeasurementEvents(i);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string all = string.Join(" ", tags.ToArray().Select(t => t.Value));
            if (all.StartsWith("seen", StringComparison.Ordinal)) lock (counted) counted[instrument.Name] = $"{value} {all}";
        });
        listener.Start();
        using Activity activity = new Activity("test").Start();

        ResiliencePipelineBuilder builder = new() { Name = "seen", TimeProvider = _time };
        ResiliencePipeline pipeline = builder.AddHedging(With(o => o.BudgetOptions = new() { Ratio = 0, MinRetriesPerSecond = 0.1 })).Build();
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(attempts.RunAsync));
        await attempts.NextAsync();
        await _time.PassAsync(Delay);
        (await attempts.NextAsync()).Result.SetResult(1);
        await call;
        await InTime(pipeline.TryExecuteAsync<int>(_ => throw new IOException()));

        counted.Should().BeEquivalentTo(new Dictionary<string, string>
        {
            ["resilience.hedges"] = "1 seen hedging slow",
            ["resilience.hedge.wins"] = "1 seen hedging",
            ["resilience.hedge.skipped"] = "1 seen hedging budget",
        });
        activity.Events.Select(e => e.Name).Should().Equal("resilience.hedge", "resilience.hedge.won", "resilience.hedge.skipped");
    }
}
