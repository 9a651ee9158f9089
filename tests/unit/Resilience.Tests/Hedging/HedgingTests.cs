namespace Resilience.Tests.Hedging;

/// <summary>What a race does to attempts, and what the caller sees of it.</summary>
public sealed class HedgingTests
{
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(1), Patience = TimeSpan.FromSeconds(30);

    private readonly WatchedTime _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private ResiliencePipelineBuilder Builder(Action<HedgingOptions>? configure = null) =>
        new ResiliencePipelineBuilder { Name = "prices", TimeProvider = _time }.OnEvent(_events.Add).AddHedging(o =>
        {
            o.Delay = Delay;
            configure?.Invoke(o);
        });

    private static Task<Outcome<T>> InTime<T>(ValueTask<Outcome<T>> call) => call.AsTask().WaitAsync(Patience);

    [Fact]
    public async Task A_first_attempt_that_answers_at_once_needs_no_timer_and_no_hedge()
    {
        int calls = 0;
        (await Builder().Build().ExecuteAsync(_ => new ValueTask<int>(++calls))).Should().Be(1);
        (_time.Living, _events.Count).Should().Be((0, 0));
    }

    [Fact]
    public async Task A_first_attempt_that_answers_before_the_delay_leaves_no_timer()
    {
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(Builder().Build().TryExecuteAsync(attempts.RunAsync));
        Attempts<int>.One first = await attempts.NextAsync();
        _time.Living.Should().Be(1);
        first.Result.SetResult(7);
        (await call).Value.Should().Be(7);
        (_time.Living, attempts.Count, _events.Count).Should().Be((0, 1, 0));
        first.Token.IsCancellationRequested.Should().BeFalse();
    }

    [Fact]
    public async Task A_hedge_starts_after_the_delay_and_the_first_success_wins_and_the_loser_is_cancelled_and_disposed_of()
    {
        Attempts<Held> attempts = new() { Honor = false };
        Task<Outcome<Held>> call = InTime(Builder().Build().TryExecuteAsync(attempts.RunAsync));
        Attempts<Held>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        Attempts<Held>.One second = await attempts.NextAsync();
        Held won = new(), lost = new();
        second.Result.SetResult(won);
        (await call).Value.Should().BeSameAs(won);
        (first.Token.IsCancellationRequested, second.Token.IsCancellationRequested).Should().Be((true, false));
        first.Result.SetResult(lost);
        await lost.DisposedAsync;
        won.IsDisposed.Should().BeFalse();
        _time.Living.Should().Be(0);
        _events.Should().Equal(new HedgeStarted("prices", "hedging", 1, 1, "slow"), new HedgeWon("prices", "hedging", 1, 1));
    }

    [Fact]
    public async Task A_first_attempt_that_wins_late_cancels_the_hedge()
    {
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(Builder().Build().TryExecuteAsync(attempts.RunAsync));
        Attempts<int>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        Attempts<int>.One second = await attempts.NextAsync();
        first.Result.SetResult(1);
        (await call).Value.Should().Be(1);
        second.Token.IsCancellationRequested.Should().BeTrue();
        _events.Should().ContainSingle().Which.Should().BeOfType<HedgeStarted>();
    }

    [Fact]
    public async Task A_failure_starts_the_next_attempt_at_once_and_the_last_failure_is_the_answer()
    {
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(Builder(o => (o.MaxAttempts, o.Delay) = (3, Timeout.InfiniteTimeSpan)).Build().TryExecuteAsync(attempts.RunAsync));
        for (int i = 0; i < 3; i++) (await attempts.NextAsync()).Result.SetException(new IOException($"{i}"));
        (await call).Exception.Should().BeOfType<IOException>().Which.Message.Should().Be("2");
        (attempts.Count, _time.Living).Should().Be((3, 0));
        _events.OfType<HedgeStarted>().Select(e => (e.Attempt, e.Running, e.Reason))
            .Should().Equal((1, 0, "System.IO.IOException"), (2, 0, "System.IO.IOException"));
    }

    [Fact]
    public async Task Results_that_count_as_failures_are_disposed_of_but_the_last()
    {
        List<Held> made = [];
        ResiliencePipeline pipeline = Builder(o => o.MaxAttempts = 3).Classify(c => c.OnResult<Held>(_ => Verdict.Failure)).Build();
        Outcome<Held> outcome = await InTime(pipeline.TryExecuteAsync(_ =>
        {
            made.Add(new());
            return new ValueTask<Held>(made[^1]);
        }));
        made.Select(h => h.IsDisposed).Should().Equal(true, true, false);
        outcome.TryGetValue(out Held? last).Should().BeTrue();
        last.Should().BeSameAs(made[2]);
    }

    [Fact]
    public async Task An_ignored_outcome_cancels_the_others_and_returns()
    {
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(Builder(o => o.MaxAttempts = 3).Build().TryExecuteAsync(attempts.RunAsync));
        Attempts<int>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        (await attempts.NextAsync()).Result.SetException(new ArgumentException("bad request"));
        (await call).Verdict.Should().Be(Verdict.Ignored);
        (first.Token.IsCancellationRequested, attempts.Count).Should().Be((true, 2));
    }

    [Fact]
    public async Task With_no_delay_all_attempts_start_at_once()
    {
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(Builder(o => (o.MaxAttempts, o.Delay) = (4, TimeSpan.Zero)).Build().TryExecuteAsync(attempts.RunAsync));
        for (int i = 0; i < 4; i++) await attempts.NextAsync();
        attempts.All[2].Result.SetResult(2);
        (await call).Value.Should().Be(2);
        attempts.All.Select(a => a.Token.IsCancellationRequested).Should().Equal(true, true, false, true);
        _time.Living.Should().Be(0);
    }

    [Fact]
    public async Task The_callers_cancellation_cancels_all_and_starts_nothing()
    {
        using CancellationTokenSource caller = new();
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(Builder(o => o.MaxAttempts = 5).Build().TryExecuteAsync(attempts.RunAsync, caller.Token));
        await attempts.NextAsync();
        await _time.PassAsync(Delay);
        await attempts.NextAsync();
        await caller.CancelAsync();
        Outcome<int> outcome = await call;
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeAssignableTo<OperationCanceledException>();
        attempts.All.Select(a => a.Token.IsCancellationRequested).Should().Equal(true, true);
        attempts.Count.Should().Be(2);
    }

    [Fact]
    public async Task A_failure_after_the_caller_has_left_starts_nothing()
    {
        using CancellationTokenSource caller = new();
        Attempts<int> attempts = new() { Honor = false };
        Task<Outcome<int>> call = InTime(Builder().Build().TryExecuteAsync(attempts.RunAsync, caller.Token));
        Attempts<int>.One first = await attempts.NextAsync();
        await caller.CancelAsync();
        first.Result.SetException(new IOException());
        (await call).Exception.Should().BeOfType<IOException>();
        (attempts.Count, _events.Count).Should().Be((1, 0));
    }

    private sealed class Rejected() : Rejection("door")
    {
        public override string Reason => "closed";

        public override ResilienceException ToException() => new(this);
    }

    /// <summary>Rejects the attempts of these numbers.</summary>
    private sealed class Door(params int[] rejects) : SimplePolicy
    {
        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) =>
            rejects.Contains(context.Attempt) ? new(Outcome.Rejected<T>(new Rejected())) : next.ExecuteAsync(context);
    }

    [Fact]
    public async Task A_rejection_without_another_route_starts_nothing_and_waits_for_those_under_way()
    {
        Outcome<int> alone = await InTime(Builder().AddPolicy(new Door(0)).Build().TryExecuteAsync(_ => new ValueTask<int>(1)));
        alone.Verdict.Should().Be(Verdict.Rejected);

        Attempts<int> attempts = new();
        Task<Outcome<int>> call = InTime(Builder(o => o.MaxAttempts = 3).AddPolicy(new Door(1)).Build().TryExecuteAsync(attempts.RunAsync));
        Attempts<int>.One first = await attempts.NextAsync();
        await _time.PassAsync(Delay);
        first.Token.IsCancellationRequested.Should().BeFalse("the rejection of the hedge is no reason to give up the first attempt");
        first.Result.SetResult(5);
        (await call).Value.Should().Be(5);
        (attempts.Count, _time.Living).Should().Be((1, 0));
    }

    [Fact]
    public async Task A_failure_says_more_than_the_rejection_that_came_after_it()
    {
        Outcome<int> outcome = await InTime(Builder().AddPolicy(new Door(1)).Build().TryExecuteAsync<int>(_ => throw new IOException("real")));
        outcome.Exception.Should().BeOfType<IOException>();
    }

    [Fact]
    public async Task After_a_rejection_the_next_starts_where_the_route_leads_elsewhere_and_sees_what_the_route_has_set()
    {
        ResilienceProperty<string> host = new("host");
        ResiliencePipeline pipeline = Builder(o => o.Route = (context, number) =>
        {
            context.Set(host, $"mirror {number}");
            return true;
        }).AddPolicy(new Door(0)).Build();
        string seen = await pipeline.ExecuteAsync(default, (context, _) => new ValueTask<string>(context.TryGet(host, out string? at) ? at : "main"), 0);
        seen.Should().Be("mirror 1");
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Value.Should().Be(1);
    }

    [Fact]
    public async Task A_delay_or_a_route_that_throws_is_counted_and_the_default_stands()
    {
        Attempts<int> attempts = new();
        ResiliencePipeline pipeline = Builder(o =>
            {
                o.DelayFor = _ => throw new IOException();
                o.Route = (_, _) => throw new IOException();
            })
            .AddPolicy(new Door(9)).Build();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(attempts.RunAsync));
        await attempts.NextAsync();
        await _time.PassAsync(Delay);
        (await attempts.NextAsync()).Result.SetResult(3);
        (await call).Value.Should().Be(3);
    }

    [Fact]
    public async Task A_call_can_have_a_delay_of_its_own()
    {
        Attempts<int> attempts = new();
        ResiliencePipeline pipeline = Builder(o => o.DelayFor = c => c.Operation == "quick" ? TimeSpan.FromMilliseconds(10) : TimeSpan.FromDays(-3)).Build();
        Task<Outcome<int>> call = InTime(pipeline.TryExecuteAsync(new CallOptions("quick"), static (c, a) => a.RunAsync(c), attempts));
        await attempts.NextAsync();
        await _time.PassAsync(TimeSpan.FromMilliseconds(10));
        (await attempts.NextAsync()).Result.SetResult(3);
        (await call).Value.Should().Be(3);
    }

    [Fact]
    public async Task One_attempt_in_all_is_no_hedging()
    {
        Outcome<int> outcome = await InTime(Builder(o => o.MaxAttempts = 1).Build().TryExecuteAsync<int>(_ => throw new IOException()));
        (outcome.Verdict, _events.Count).Should().Be((Verdict.Failure, 0));
    }

    [Fact]
    public void Options_out_of_range_are_named_all_at_once() =>
        FluentActions.Invoking(() => Builder(o =>
            {
                o.MaxAttempts = 11;
                o.Delay = TimeSpan.FromDays(2);
                o.BudgetOptions = new() { Ratio = -1 };
            }).Build())
            .Should().Throw<ResilienceOptionsException>().WithMessage("*MaxAttempts is 11*from 1 to 10*Delay is 2 d*Ratio is -1*");

    [Fact]
    public void The_policy_says_what_it_is()
    {
        PolicyDescription said = Builder(o => o.Route = (_, _) => true).Build().Describe().Policies.Single();
        (said.Role, said.MaxAttempts, said.FirstDelay).Should().Be((PolicyRole.Hedging, 2, Delay));
        said.ToString().Should().Contain("MaxAttempts = 2").And.Contain("Delay = 1 s").And.Contain("Route = yes").And.Contain("Budget = ");
        Builder(o => o.Delay = Timeout.InfiniteTimeSpan).Build().Describe().ToString().Should().Contain("Delay = after a failure only");
    }
}
