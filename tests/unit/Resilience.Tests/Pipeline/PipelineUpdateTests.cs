using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Pipelines;

/// <summary>A living pipeline gets other options and keeps what it knows.</summary>
public sealed class PipelineUpdateTests
{
    private readonly FakeTimeProvider _time = new();

    private ResiliencePipelineBuilder Builder(Action<ResiliencePipelineBuilder> add)
    {
        ResiliencePipelineBuilder builder = new() { Name = "live", TimeProvider = _time };
        add(builder);
        return builder;
    }

    private static Task<Outcome<int>> FailAsync(ResiliencePipeline pipeline) =>
        pipeline.TryExecuteAsync<int>(static _ => throw new IOException("down")).AsTask();

    private static Task<Outcome<int>> SucceedAsync(ResiliencePipeline pipeline) =>
        pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1)).AsTask();

    [Fact]
    public async Task An_open_circuit_stays_open_and_obeys_the_new_options_from_then_on()
    {
        ResiliencePipeline pipeline = Builder(b => b.AddCircuitBreaker(o => (o.ConsecutiveFailures, o.BreakDuration, o.BreakJitter) = (2,
            TimeSpan.FromSeconds(5), 0))).Build();
        CircuitBreaker breaker = pipeline.Find<CircuitBreaker>()!;
        await FailAsync(pipeline);
        await FailAsync(pipeline);
        breaker.State.Should().Be(CircuitState.Open);

        pipeline.Update(Builder(b => b.AddCircuitBreaker(o => (o.ConsecutiveFailures, o.BreakDuration, o.BreakJitter) = (1, TimeSpan.FromSeconds(9), 0))));
        pipeline.Find<CircuitBreaker>().Should().BeSameAs(breaker);
        (await SucceedAsync(pipeline)).Verdict.Should().Be(Verdict.Rejected, "the circuit is still open");

        _time.Advance(TimeSpan.FromSeconds(5));
        (await SucceedAsync(pipeline)).IsSuccess.Should().BeTrue("the break under way keeps its end");
        await FailAsync(pipeline);
        breaker.State.Should().Be(CircuitState.Open, "one failure is enough now");
    }

    [Fact]
    public async Task A_spent_budget_stays_spent()
    {
        static void Add(ResiliencePipelineBuilder b, double floor, int retries) => b.AddRetry(o =>
        {
            o.MaxRetries = retries;
            o.BaseDelay = TimeSpan.Zero;
            o.BudgetOptions = new() { Ratio = 0, MinRetriesPerSecond = floor, Window = TimeSpan.FromSeconds(10) };
        });
        ResiliencePipeline pipeline = Builder(b => Add(b, 0.2, RetryOptions.Unlimited)).Build();
        RetryBudget budget = pipeline.Find<RetryBudget>()!;
        await FailAsync(pipeline);
        budget.Balance.Should().Be(0);

        pipeline.Update(Builder(b => Add(b, 100, 3)));
        pipeline.Find<RetryBudget>().Should().BeSameAs(budget);
        budget.Balance.Should().Be(0, "nothing comes in without time");
        _time.Advance(TimeSpan.FromMinutes(1));
        budget.Balance.Should().BeApproximately(1000, 5, "the new floor fills it");
    }

    [Fact]
    public async Task Places_that_are_taken_stay_taken_and_calls_under_way_end_as_they_began()
    {
        ResiliencePipeline pipeline = Builder(b => b.AddConcurrencyLimit(2)).Build();
        TaskCompletionSource<int> gate = new();
        Task<int> first = pipeline.ExecuteAsync(_ => gate.Task).AsTask(), second = pipeline.ExecuteAsync(_ => gate.Task).AsTask();

        pipeline.Update(Builder(b => b.AddConcurrencyLimit(1)));
        ConcurrencyLimit limit = pipeline.Find<ConcurrencyLimit>()!;
        (limit.Limit, limit.Running).Should().Be((1, 2));
        (await SucceedAsync(pipeline)).Verdict.Should().Be(Verdict.Rejected);

        gate.SetResult(7);
        (await first + await second).Should().Be(14);
        limit.Running.Should().Be(0);
        (await SucceedAsync(pipeline)).IsSuccess.Should().BeTrue();
    }

    [Fact]
    public async Task A_bad_update_changes_nothing()
    {
        ResiliencePipeline pipeline = Builder(b => b.AddCircuitBreaker(o => o.ConsecutiveFailures = 1).AddConcurrencyLimit(3)).Build();
        string before = pipeline.Describe().ToString();
        pipeline.Invoking(p => p.Update(Builder(b => b.AddCircuitBreaker(o => o.ConsecutiveFailures = 5).AddConcurrencyLimit(0))))
            .Should().Throw<ResilienceOptionsException>();
        pipeline.Invoking(p => p.Update(Builder(b =>
        {
            b.TreatWarningsAsErrors = true;
            b.AddCircuitBreaker(o => o.ConsecutiveFailures = 5).AddRetry();
        }))).Should().Throw<ResiliencePipelineException>();
        pipeline.Invoking(p => p.Update(Builder(b => b.AddCircuitBreaker(o => o.ConsecutiveFailures = 5)
            .AddPolicy(new TimeoutOptions { Name = "planted" }, _ => throw new InvalidOperationException("no")))))
            .Should().Throw<InvalidOperationException>();

        pipeline.Describe().ToString().Should().Be(before);
        await FailAsync(pipeline);
        pipeline.Find<CircuitBreaker>()!.State.Should().Be(CircuitState.Open, "one failure still opens it");
    }

    [Fact]
    public async Task The_description_that_is_checked_is_that_of_the_new_options()
    {
        ResiliencePipeline pipeline = Builder(b => b.AddCircuitBreaker(o => o.SamplingDuration = TimeSpan.FromSeconds(60))
            .AddTimeout(TimeSpan.FromSeconds(30))).Build();
        pipeline.Warnings.Should().BeEmpty();
        pipeline.Update(Builder(b => b.AddCircuitBreaker(o => o.SamplingDuration = TimeSpan.FromSeconds(5)).AddTimeout(TimeSpan.FromSeconds(30))));
        pipeline.Warnings.Select(w => w.Code).Should().Equal("RES009");
        (await SucceedAsync(pipeline)).IsSuccess.Should().BeTrue();
    }

    [Fact]
    public async Task Policies_come_and_go_and_state_follows_the_name()
    {
        List<ResilienceEvent> old = [], now = [];
        ResiliencePipeline pipeline = Builder(b => b.OnEvent(old.Add).AddCircuitBreaker(o => (o.Name, o.ConsecutiveFailures) = ("a", 1))).Build();
        CircuitBreaker breaker = pipeline.Find<CircuitBreaker>()!;
        pipeline.Update(Builder(b => b.OnEvent(now.Add).AddTimeout(TimeSpan.FromSeconds(1))
            .AddCircuitBreaker(o => (o.Name, o.ConsecutiveFailures) = ("a", 1)).AddCircuitBreaker(o => (o.Name, o.ConsecutiveFailures) = ("b", 1))));
        pipeline.States.Select(s => s.PolicyName).Should().Equal("a", "b");
        pipeline.Find<CircuitBreaker>("a").Should().BeSameAs(breaker);
        pipeline.Find<CircuitBreaker>("b").Should().NotBeSameAs(breaker);
        await FailAsync(pipeline);
        old.Should().BeEmpty("the old listeners are gone");
        now.OfType<CircuitChanged>().Select(c => c.PolicyName).Should().BeEquivalentTo("a", "b");

        pipeline.Update(Builder(_ => { }));
        pipeline.States.Should().BeEmpty();
        (await SucceedAsync(pipeline)).IsSuccess.Should().BeTrue();
    }

    [Fact]
    public async Task An_outer_pipeline_follows_the_update_of_an_inner_one()
    {
        ResiliencePipeline inner = Builder(b => b.AddConcurrencyLimit(1)).Build();
        ResiliencePipeline outer = Builder(b => b.AddRetry(o => o.MaxRetries = 0).AddPipeline(inner)).Build();
        (await SucceedAsync(outer)).IsSuccess.Should().BeTrue();
        inner.Update(Builder(b => b.AddCircuitBreaker(o => o.ConsecutiveFailures = 1)));
        await FailAsync(outer);
        (await SucceedAsync(outer)).Verdict.Should().Be(Verdict.Rejected);
        outer.States.Select(s => s.State).OfType<CircuitBreaker>().Single().State.Should().Be(CircuitState.Open);
    }

    [Fact]
    public async Task A_typed_pipeline_is_updated_too()
    {
        ResiliencePipelineBuilder<int> Typed(int limit) => new ResiliencePipelineBuilder<int> { TimeProvider = _time }.AddConcurrencyLimit(limit);
        ResiliencePipeline<int> pipeline = Typed(1).Build();
        TaskCompletionSource<int> gate = new();
        Task<int> first = pipeline.ExecuteAsync(_ => gate.Task).AsTask();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(2))).Verdict.Should().Be(Verdict.Rejected);
        pipeline.Update(Typed(2));
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(2))).Value.Should().Be(2);
        gate.SetResult(1);
        (await first).Should().Be(1);
        pipeline.Find<ConcurrencyLimit>()!.Running.Should().Be(0);
    }

    [Fact]
    public void A_users_policy_may_take_over_state_and_is_notified_when_it_takes_effect()
    {
        List<string> log = [];
        ResiliencePipelineBuilder With(string label) => Builder(b => b.AddPolicy(new TimeoutOptions { Name = "mine" }, e => new Inheriting(label, e, log)));
        ResiliencePipeline pipeline = With("first").Build();
        pipeline.Update(With("second"));
        pipeline.Update(With("third"));
        log.Should().Equal("first after nothing", "second after first", "third after second");
    }

    private sealed class Inheriting(string label, PolicyEnvironment environment, List<string> log) : SimplePolicy
    {
        private readonly string _former = (environment.Former as Inheriting)?.Label ?? "nothing";

        private string Label => label;

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);

        protected internal override void TakeEffect()
        {
            log.Add($"{label} after {_former}");
            environment.Former.Should().NotBeNull().And.BeOfType<Inheriting>("it is forgotten only after the update");
        }
    }
}

/// <summary>What an attempt may say about itself: that it must not be repeated, how a result is called, when to come back.</summary>
public sealed class AttemptSaysTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private ResiliencePipelineBuilder Builder() => new ResiliencePipelineBuilder { TimeProvider = _time }.OnEvent(_events.Add);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_attempt_that_forbids_a_retry_is_not_repeated_and_the_reason_is_reported(bool abandons)
    {
        ResiliencePipeline pipeline = Builder().AddRetry(o => o.BaseDelay = TimeSpan.Zero)
            .AddTimeout(o => o.AbandonAfter = abandons ? TimeSpan.FromSeconds(1) : null).Build();
        int runs = 0;
        Outcome<int> outcome = await pipeline.TryExecuteAsync<object?, int>(new("charge"), (context, _) =>
        {
            if (++runs == 2) context.ForbidRetry("the operation is done");
            throw new IOException();
        }, null);
        (outcome.Verdict, runs).Should().Be((Verdict.Failure, 2));
        RetryStopped stopped = _events.OfType<RetryStopped>().Single();
        (stopped.Cause, stopped.Detail, stopped.Operation).Should().Be((RetryStopReason.NotAllowed, "the operation is done", "charge"));
        _events.OfType<RetryScheduled>().Single().Operation.Should().Be("charge");
    }

    [Fact]
    public async Task An_objection_that_is_taken_back_does_not_count_nor_that_of_an_earlier_attempt()
    {
        ResiliencePipeline pipeline = Builder().AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 2)).Build();
        int runs = 0;
        await pipeline.TryExecuteAsync<object?, int>(default, (context, _) =>
        {
            runs++;
            context.ForbidRetry("perhaps sent");
            context.AllowRetry();
            throw new IOException();
        }, null);
        runs.Should().Be(3);
    }

    [Fact]
    public async Task An_abandoned_delegate_that_forbade_a_retry_is_not_repeated()
    {
        ResiliencePipeline pipeline = Builder().AddRetry(o => o.BaseDelay = TimeSpan.Zero)
            .AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromSeconds(1), TimeSpan.Zero)).Build();
        int runs = 0;
        TaskCompletionSource<int> never = new();
        Task<Outcome<int>> call = pipeline.TryExecuteAsync<object?, int>(default, (context, _) =>
        {
            runs++;
            context.ForbidRetry("still running");
            return new(never.Task);
        }, null).AsTask();
        while (!call.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.WhenAny(call, Task.Yield().ToTask());
        }

        (await call).Exception.Should().BeOfType<TimedOutException>();
        runs.Should().Be(1);
    }

    [Fact]
    public async Task A_result_says_its_name_and_when_to_come_back()
    {
        OutcomeClassifier classifier = OutcomeClassifier.Default
            .OnResult<int>(r => r == 0 ? Verdict.Success : Verdict.Failure)
            .NameResult<int>(r => r == 13 ? throw new InvalidOperationException() : $"E{r}")
            .RetryAfterResult<int>((r, time) => time == _time && r == 5 ? TimeSpan.FromSeconds(r) : TimeSpan.FromSeconds(-1));
        ResiliencePipelineBuilder builder = Builder();
        builder.Classifier = classifier;
        ResiliencePipeline pipeline = builder.AddRetry(o => (o.BaseDelay, o.MaxRetries, o.RetryAfterJitter) = (TimeSpan.Zero, 2, 0)).Build();
        Queue<int> results = new([13, 5, 7]);
        Task<Outcome<int>> call = pipeline.TryExecuteAsync(_ => new ValueTask<int>(results.Dequeue())).AsTask();
        results.Should().ContainSingle("the third waits for as long as the second asked");
        _time.Advance(TimeSpan.FromSeconds(5));
        (await call.WaitAsync(TimeSpan.FromSeconds(30))).Value.Should().Be(7);
        _events.OfType<RetryScheduled>().Select(e => (e.Reason, e.Delay, e.AskedFor)).Should().Equal(
            ("result", TimeSpan.Zero, false), ("E5", TimeSpan.FromSeconds(5), true));
        _events.OfType<RetryStopped>().Single().Reason.Should().Be("E7");
    }
}

internal static class YieldTask
{
    internal static async Task ToTask(this System.Runtime.CompilerServices.YieldAwaitable yield) => await yield;
}
