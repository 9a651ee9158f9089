namespace Resilience.Tests.Pipelines;

/// <summary>The check of the order, on descriptions alone: it knows policies by their role.</summary>
public sealed class PipelineOrderTests
{
    private static PolicyDescription Policy(PolicyRole role, double? timeout = null, double? firstDelay = null, double? delays = null, int? attempts = null) =>
        new(role.ToString(), role)
        {
            Timeout = timeout is { } t ? TimeSpan.FromSeconds(t) : null,
            FirstDelay = firstDelay is { } f ? TimeSpan.FromSeconds(f) : null,
            TotalDelay = delays is { } d ? TimeSpan.FromSeconds(d) : null,
            MaxAttempts = attempts,
        };

    private static PolicyDescription Retry(double first = 0.2, double delays = 1, int attempts = 4) => Policy(PolicyRole.Retry, null, first, delays, attempts);

    private static PolicyDescription Hedging(double? delay) => Policy(PolicyRole.Hedging, null, delay, null, 2);

    private static PolicyDescription Timeout(double seconds) => Policy(PolicyRole.Timeout, seconds);

    private static PolicyDescription Limit(double? wait) =>
        Policy(PolicyRole.ConcurrencyLimit) with { QueueWait = wait is { } w ? TimeSpan.FromSeconds(w) : null };

    private static PolicyDescription Breaker(double? window) =>
        Policy(PolicyRole.CircuitBreaker) with { SamplingWindow = window is { } w ? TimeSpan.FromSeconds(w) : null };

    public static TheoryData<string, PolicyDescription[], string[]> Orders() => new()
    {
        { "the standard order", [Policy(PolicyRole.Fallback), Timeout(30), Retry(), Policy(PolicyRole.CircuitBreaker), Policy(PolicyRole.ConcurrencyLimit), Timeout(2)], [] },
        { "nothing", [], [] },
        { "first delay longer than the total", [Timeout(1), Retry(first: 2)], ["RES001"] },
        { "breaker around retry", [Policy(PolicyRole.CircuitBreaker), Retry()], ["RES002"] },
        { "fallback in retry", [Retry(), Policy(PolicyRole.Fallback)], ["RES003"] },
        { "fallback in breaker", [Policy(PolicyRole.CircuitBreaker), Policy(PolicyRole.Fallback)], ["RES004"] },
        { "two retries", [Retry(), Retry()], ["RES005"] },
        { "limit around retry", [Policy(PolicyRole.ConcurrencyLimit), Retry()], ["RES006"] },
        { "attempt timeout as long as the total", [Timeout(2), Retry(delays: 0), Timeout(2)], ["RES007"] },
        { "a total that cannot be used up", [Timeout(30), Retry(delays: 14, attempts: 4), Timeout(10)], ["RES008"] },
        { "a total that just can", [Timeout(54), Retry(delays: 14, attempts: 4), Timeout(10)], [] },
        { "a window shorter than the attempt inside it", [Breaker(5), Timeout(7)], ["RES009"] },
        { "a window as long as the attempt inside it", [Breaker(7), Timeout(7)], [] },
        { "a window of calls", [Breaker(null), Timeout(7)], [] },
        { "a short window outside of nothing", [Timeout(7), Breaker(5)], [] },
        { "waiting in the queue as long as the timeout around it", [Timeout(2), Limit(2)], ["RES014"] },
        { "waiting in the queue for a part of it", [Timeout(2), Limit(0.5)], [] },
        { "no queue", [Timeout(2), Limit(null)], [] },
        { "a queue outside of the timeout", [Limit(5), Timeout(2)], [] },
        { "unlimited retries without a time around them", [Retry() with { MaxAttempts = null, TotalDelay = null }, Timeout(2)], ["RES015"] },
        { "unlimited retries within a time", [Timeout(60), Retry() with { MaxAttempts = null, TotalDelay = null }, Timeout(2)], [] },
        { "a policy that says nothing of its attempts", [Policy(PolicyRole.Retry)], [] },
        { "rate limit around retry", [Policy(PolicyRole.RateLimit), Retry()], ["RES016"] },
        { "rate limit in retry", [Retry(), Policy(PolicyRole.RateLimit)], [] },
        { "hedging inside a retry", [Timeout(30), Retry(), Hedging(1), Policy(PolicyRole.CircuitBreaker), Timeout(2)], [] },
        { "a retry inside hedging", [Hedging(1), Retry()], ["RES011"] },
        { "two hedgings", [Hedging(1), Hedging(2)], ["RES011"] },
        { "breaker around hedging", [Policy(PolicyRole.CircuitBreaker), Hedging(1)], ["RES011"] },
        { "limit around hedging", [Policy(PolicyRole.ConcurrencyLimit), Hedging(1)], ["RES011"] },
        { "a total that ends before the hedge", [Timeout(1), Hedging(1)], ["RES011"] },
        { "an attempt that ends before the hedge", [Hedging(2), Timeout(2)], ["RES011"] },
        { "hedging after failures only", [Timeout(1), Hedging(null), Timeout(0.5)], [] },
        { "hedging around one key", [Hedging(1), Policy(PolicyRole.Idempotency)], ["RES010"] },
        { "chaos outside of what should handle it", [Policy(PolicyRole.Chaos), Retry()], ["RES012"] },
        { "chaos inside", [Retry(), Policy(PolicyRole.Chaos), Timeout(1)], [] },
        { "several at once", [Policy(PolicyRole.CircuitBreaker), Retry(), Policy(PolicyRole.Fallback)], ["RES002", "RES004", "RES003"] },
        { "through a nested pipeline", [Policy(PolicyRole.CircuitBreaker), Policy(PolicyRole.Pipeline) with { Inner = [Retry()] }], ["RES002"] },
    };

    [Theory]
    [MemberData(nameof(Orders))]
    public void Orders_that_cannot_work_are_found(string what, PolicyDescription[] chain, string[] codes) =>
        PipelineOrder.Check(chain).Select(w => w.Code).Should().Equal(codes, "of {0}", what);

    [Fact]
    public void What_has_a_memory_stands_in_a_chain_once()
    {
        CircuitBreaker breaker = new(new());
        ConcurrencyLimit limit = new(new());
        RetryBudget budget = new();
        Codes(b => b.AddCircuitBreaker(breaker).AddTimeout(TimeSpan.FromSeconds(1)).AddCircuitBreaker(breaker)).Should().Equal("RES013");
        Codes(b => b.AddConcurrencyLimit(limit).AddConcurrencyLimit(limit)).Should().Equal("RES013");
        Codes(b => b.AddConcurrencyLimit(limit).AddPipeline(new ResiliencePipelineBuilder().AddConcurrencyLimit(limit).Build())).Should().Equal("RES013");
        Codes(b => b.AddCircuitBreaker(breaker).AddCircuitBreaker().AddConcurrencyLimit(limit).AddConcurrencyLimit(3)).Should().BeEmpty();
        Codes(b => b.AddRetry(o => o.Budget = budget).AddRetry(o => o.Budget = budget)).Should().Equal(["RES005"], "a budget is meant to be shared");

        static IEnumerable<string> Codes(Action<ResiliencePipelineBuilder> add)
        {
            ResiliencePipelineBuilder builder = new();
            add(builder);
            return builder.Build().Warnings.Select(w => w.Code);
        }
    }

    [Fact]
    public void A_warning_names_the_policies_and_the_numbers()
    {
        PipelineWarning warning = PipelineOrder.Check([Timeout(30), Retry(delays: 14, attempts: 4), Timeout(10)]).Single();
        warning.ToString().Should().StartWith("RES008: ").And.Contain("4 attempts of 10 s").And.Contain("14 s need 54 s").And.Contain("total is 30 s");
        warning.Policies.Should().Equal("Timeout", "Retry", "Timeout");
    }

    [Fact]
    public void Warnings_are_kept_or_made_errors()
    {
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder { Name = "odd" }
            .AddPolicy(new Described(PolicyRole.CircuitBreaker)).AddPolicy(new Described(PolicyRole.Retry));
        ResiliencePipeline pipeline = builder.Build();
        pipeline.Warnings.Select(w => w.Code).Should().Equal("RES002");
        pipeline.Describe().ToString().Should().Contain("pipeline 'odd'").And.Contain("warning RES002");
        builder.TreatWarningsAsErrors = true;
        builder.Invoking(b => b.Build()).Should().Throw<ResiliencePipelineException>().WithMessage("*'odd'*RES002*").Which.Warnings.Should().HaveCount(1);
        builder.AcceptedWarnings.Add("res002");
        builder.Build().Warnings.Should().BeEmpty("an accepted finding is neither kept nor an error");
    }

    private sealed class Described(PolicyRole role) : SimplePolicy
    {
        public override PolicyDescription Describe() => new("d", role);

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    [Fact]
    public void A_pipeline_describes_itself()
    {
        ResiliencePipeline inner = new ResiliencePipelineBuilder { Name = "inner" }.AddCircuitBreaker().Build();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "outer" }.AddPipeline(inner).AddCircuitBreaker(o => o.Name = "payments").Build();
        PipelineDescription description = pipeline.Describe();
        description.Policies.Select(p => p.Role).Should().Equal(PolicyRole.Pipeline, PolicyRole.CircuitBreaker);
        description.ToString().Should().Contain("payments: CircuitBreaker, failure ratio = 0.5 of at least 20 calls in 10 s")
            .And.Contain("    circuit-breaker: CircuitBreaker");
        ResiliencePipeline.Empty.Describe().ToString().Should().Contain("no policies");
    }

    [Fact]
    public void Building_without_time_randomness_classifier_or_name_is_a_clear_error()
    {
        FluentActions.Invoking(() => new ResiliencePipelineBuilder { TimeProvider = null! }.Build()).Should().Throw<InvalidOperationException>()
            .WithMessage("*TimeProvider*");
        FluentActions.Invoking(() => new ResiliencePipelineBuilder { Randomness = null! }.Build()).Should().Throw<InvalidOperationException>()
            .WithMessage("*Randomness*");
        FluentActions.Invoking(() => new ResiliencePipelineBuilder { Classifier = null! }.Build()).Should().Throw<InvalidOperationException>()
            .WithMessage("*Classifier*");
        FluentActions.Invoking(() => new ResiliencePipelineBuilder { Name = null! }.Build()).Should().Throw<InvalidOperationException>().WithMessage("*Name*");
        FluentActions.Invoking(() => new ResiliencePipelineBuilder().AddPolicy(null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => new ResiliencePipelineBuilder().OnEvent(null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => new ResiliencePipelineBuilder().AddCircuitBreaker((CircuitBreakerOptions)null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => new ResiliencePipelineBuilder().AddCircuitBreaker(new CircuitBreakerOptions { Name = "" }).Build())
            .Should().Throw<ResilienceOptionsException>().WithMessage("*Name is empty*");
    }

    [Fact]
    public async Task A_typed_pipeline_inside_one_of_another_type_is_rejected_and_of_the_same_type_works()
    {
        ResiliencePipeline<int> inner = new ResiliencePipelineBuilder<int>().AddCircuitBreaker().Build();
        ResiliencePipeline<int> outer = new ResiliencePipelineBuilder<int>().AddPipeline(inner).Build();
        (await outer.ExecuteAsync(_ => new ValueTask<int>(4))).Should().Be(4);
        (await outer.ExecuteAsync(_ => Task.FromResult(4))).Should().Be(4);
        (await outer.ExecuteAsync(static (s, _) => new ValueTask<int>(s), 4)).Should().Be(4);
        (await outer.ExecuteAsync(static (s, _) => Task.FromResult(s), 4)).Should().Be(4);
        (await outer.ExecuteAsync(default, static (_, s) => new ValueTask<int>(s), 4)).Should().Be(4);
        (await outer.TryExecuteAsync(_ => new ValueTask<int>(4))).Value.Should().Be(4);
        (await outer.TryExecuteAsync(_ => Task.FromResult(4))).Value.Should().Be(4);
        (await outer.TryExecuteAsync(static (s, _) => new ValueTask<int>(s), 4)).Value.Should().Be(4);
        (await outer.TryExecuteAsync(default, static (_, s) => new ValueTask<int>(s), 4)).Value.Should().Be(4);
        outer.Describe().Policies.Should().ContainSingle().Which.Inner.Should().ContainSingle();
    }
}
