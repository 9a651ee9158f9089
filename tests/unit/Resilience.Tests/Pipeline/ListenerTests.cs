namespace Resilience.Tests.Pipelines;

/// <summary>A listener that comes and goes: what is made for it, and when.</summary>
public sealed class ListenerTests
{
    private readonly List<ResilienceEvent> _heard = [];
    private bool _wants;

    private ResiliencePipeline Build(Action<ResiliencePipelineBuilder>? more = null)
    {
        ResiliencePipelineBuilder builder = new() { Name = "orders" };
        builder.AddCircuitBreaker(new CircuitBreakerOptions { ConsecutiveFailures = 1, BreakDuration = TimeSpan.FromHours(1), MaxBreakDuration = TimeSpan.FromHours(1) }).OnEvent(_heard.Add, () => _wants);
        more?.Invoke(builder);
        return builder.Build();
    }

    private static async Task FailAsync(ResiliencePipeline pipeline, int times = 1)
    {
        for (int i = 0; i < times; i++) await pipeline.TryExecuteAsync(static _ => ValueTask.FromException<int>(new IOException()));
    }

    [Fact]
    public async Task Changes_of_circuits_are_reported_whether_calls_are_wanted_or_not()
    {
        await FailAsync(Build(), 3);
        _heard.Should().ContainSingle().Which.Should().BeOfType<CircuitChanged>();
    }

    [Fact]
    public async Task Events_of_calls_are_raised_while_they_are_wanted()
    {
        ResiliencePipeline pipeline = Build();
        await FailAsync(pipeline, 2);
        _wants = true;
        await FailAsync(pipeline, 2);
        _wants = false;
        await FailAsync(pipeline, 2);

        _heard.OfType<CircuitRejected>().Should().HaveCount(2);
    }

    [Fact]
    public void A_policy_sees_no_listener_until_events_of_calls_are_wanted()
    {
        PolicyEnvironment? seen = null;
        Build(b => b.AddPolicy(new Probe(), e =>
        {
            seen = e;
            return new Nothing();
        }));

        seen!.HasListeners.Should().BeFalse("no event object is made");
        _wants = true;
        seen.HasListeners.Should().BeTrue();
    }

    [Fact]
    public async Task Another_listener_who_wants_everything_gets_it()
    {
        List<ResilienceEvent> other = [];
        await FailAsync(Build(b => b.OnEvent(other.Add)), 3);
        other.OfType<CircuitRejected>().Should().HaveCount(2);
    }

    [Fact]
    public async Task A_question_that_throws_is_a_no()
    {
        ResiliencePipelineBuilder builder = new();
        builder.AddCircuitBreaker(new CircuitBreakerOptions { ConsecutiveFailures = 1 }).OnEvent(_heard.Add, () => throw new InvalidOperationException());
        await FailAsync(builder.Build(), 3);
        _heard.Should().ContainSingle().Which.Should().BeOfType<CircuitChanged>();
    }

    [Fact]
    public async Task A_shared_breaker_tells_its_changes_to_such_a_listener_too()
    {
        CircuitBreaker shared = new(new CircuitBreakerOptions { ConsecutiveFailures = 1 });
        ResiliencePipelineBuilder builder = new() { Name = "orders" };
        await FailAsync(builder.AddCircuitBreaker(shared).OnEvent(_heard.Add, () => false).Build());
        _heard.Should().ContainSingle().Which.PipelineName.Should().Be("orders");
    }

    [Fact]
    public void A_snapshot_says_by_which_rule_the_circuit_opens()
    {
        CircuitSnapshot ratio = new CircuitBreaker(new CircuitBreakerOptions { FailureRatio = 0.4, MinimumCalls = 7 }).TakeSnapshot();
        CircuitSnapshot run = new CircuitBreaker(new CircuitBreakerOptions { FailureRatio = null, ConsecutiveFailures = 3 }).TakeSnapshot();
        (ratio.OpensAtFailureRatio, ratio.MinimumCalls, ratio.OpensAtConsecutiveFailures).Should().Be((0.4, 7, null));
        (run.OpensAtFailureRatio, run.OpensAtConsecutiveFailures).Should().Be((null, 3));
    }

    [Fact]
    public void A_budget_says_what_it_holds_at_rest()
    {
        RetryBudget budget = new(new RetryBudgetOptions { MinRetriesPerSecond = 3, Window = TimeSpan.FromSeconds(10) });
        budget.TryWithdraw();
        budget.RestingBalance.Should().Be(30);
        RetryBudget.Unlimited.RestingBalance.Should().Be(double.PositiveInfinity);
    }

    private sealed class Nothing : SimplePolicy
    {
        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    private sealed class Probe : PolicyOptions
    {
        protected internal override string Kind => "probe";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }
}
