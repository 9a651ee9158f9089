namespace Resilience.Tests.Pipelines;

/// <summary>Policies written by strangers: good ones take part, bad ones cannot break ours.</summary>
public sealed class CustomPolicyTests
{
    private sealed class Bad(string how) : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            if (how == "throws") throw new IOException("policy");
            if (how == "default") return default;
            await next.ExecuteAsync(context);
            context.CancellationToken = new CancellationToken(true);
            await Task.Yield();
            throw new IOException("policy");
        }
    }

    private sealed class ThrowsAtOnce : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>();

        private sealed class Link<T> : PolicyLink<T>
        {
            public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => throw new IOException("policy");
        }
    }

    private sealed class BindsToNull : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => null!;
    }

    [Theory]
    [InlineData("throws")]
    [InlineData("throws late and leaves a cancelled token")]
    public async Task A_policy_that_throws_becomes_an_outcome_and_the_breaker_around_it_is_not_wedged(string how)
    {
        ManualTime time = new();
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0 }, time);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).AddPolicy(new Bad(how)).Build();
        for (int round = 0; round < 3; round++)
        {
            Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1));
            outcome.Exception.Should().BeOfType<IOException>().Which.Message.Should().Be("policy");
            outcome.Verdict.Should().Be(Verdict.Failure);
            breaker.State.Should().Be(CircuitState.Open);
            time.Advance(TimeSpan.FromMinutes(2));
            breaker.State.Should().Be(CircuitState.HalfOpen);
        }
    }

    [Fact]
    public async Task A_link_that_throws_at_once_becomes_an_outcome()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new ThrowsAtOnce()).Build();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Exception.Should().BeOfType<IOException>();
    }

    [Fact]
    public async Task A_policy_that_answers_default_gets_a_clear_error()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Bad("default")).Build();
        await FluentActions.Awaiting(() => pipeline.ExecuteAsync(_ => new ValueTask<int>(1)).AsTask())
            .Should().ThrowAsync<InvalidOperationException>().WithMessage("*default(Outcome<T>)*");
        Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1));
        outcome.Verdict.Should().Be(Verdict.Failure);
        outcome.Exception!.Message.Should().Contain("default(Outcome<T>)");
    }

    [Fact]
    public async Task A_policy_that_binds_itself_to_null_gets_a_clear_error()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new BindsToNull()).Build();
        await FluentActions.Awaiting(async () => await pipeline.ExecuteAsync(_ => new ValueTask<int>(1)))
            .Should().ThrowAsync<InvalidOperationException>().WithMessage("*BindsToNull*null*");
    }

    private sealed class Repeat : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Outcome<T> first = await next.ExecuteAsync(context);
            return first.Verdict == Verdict.Failure ? await next.ExecuteAsync(context) : first;
        }
    }

    [Fact]
    public async Task A_policy_may_let_the_call_go_on_twice_or_not_at_all()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Repeat()).Build();
        int calls = 0;
        (await pipeline.ExecuteAsync(_ => ++calls == 1 ? throw new IOException() : new ValueTask<int>(calls))).Should().Be(2);
    }

    private sealed class GateOptions : PolicyOptions
    {
        public int Width { get; set; } = 1;

        protected internal override string Kind => "gate";

        protected internal override void Check(OptionsCheck check) => check.Number(nameof(Width), Width, 1, 10);
    }

    private sealed record GatePassed(string PipelineName, string PolicyName) : ResilienceEvent(PipelineName, PolicyName);

    private sealed class Gate(PolicyEnvironment environment) : SimplePolicy
    {
        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            if (environment.IsObserved()) environment.Report(new GatePassed(environment.PipelineName, environment.PolicyName));
            return next.ExecuteAsync(context);
        }
    }

    [Fact]
    public async Task A_policy_gets_checked_options_a_name_of_its_own_and_a_door_for_events()
    {
        List<ResilienceEvent> heard = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "p" }
            .AddPolicy(new GateOptions(), e => new Gate(e))
            .AddPolicy(new GateOptions(), e => new Gate(e))
            .AddPolicy(new GateOptions { Name = "mine" }, e => new Gate(e))
            .OnEvent(_ => throw new InvalidOperationException("listener"))
            .OnEvent(heard.Add)
            .Build();
        await pipeline.ExecuteAsync(_ => ValueTask.CompletedTask);
        heard.Should().Equal(new GatePassed("p", "gate"), new GatePassed("p", "gate-2"), new GatePassed("p", "mine"));

        FluentActions.Invoking(() => new ResiliencePipelineBuilder()
                .AddPolicy(new GateOptions { Width = 0 }, e => new Gate(e))
                .AddPolicy(new GateOptions { Width = 11, Name = "second" }, e => new Gate(e)).Build())
            .Should().Throw<ResilienceOptionsException>().Which.Message.Should()
            .Contain("2 options").And.Contain("gate: Width is 0, but must be from 1 to 10").And.Contain("second: Width is 11");
        FluentActions.Invoking(() => new ResiliencePipelineBuilder().AddPolicy(new GateOptions(), _ => null!).Build())
            .Should().Throw<InvalidOperationException>().WithMessage("*'gate'*null*");
    }

    [Fact]
    public void A_factory_is_not_called_when_any_option_is_wrong()
    {
        int made = 0;
        FluentActions.Invoking(() => new ResiliencePipelineBuilder()
                .AddPolicy(new GateOptions(), e => { made++; return new Gate(e); })
                .AddPolicy(new GateOptions { Width = 0 }, e => new Gate(e)).Build())
            .Should().Throw<ResilienceOptionsException>();
        made.Should().Be(0);
    }
}
