namespace Resilience.Tests.Pipelines;

/// <summary>Rules of the order that a policy of another author brings with it.</summary>
public sealed class OwnOrderRulesTests
{
    private sealed class Placed(string name, Action<OrderCheck>? rules, object? state = null) : SimplePolicy
    {
        public override object? State => state;

        public override PolicyDescription Describe() => new(name, PolicyRole.Other) { CheckOrder = rules };

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    private static void NotInsideOfRetry(OrderCheck check)
    {
        foreach (PolicyDescription retry in check.OutsideAs(PolicyRole.Retry, PolicyRole.Hedging))
            check.Warn("OWN001", "each attempt is asked. Put it outside.", retry);
        foreach (PolicyDescription timeout in check.InsideAs(PolicyRole.Timeout)) check.Contradict("OWN002", $"never after {timeout.Timeout}.", timeout);
    }

    [Fact]
    public void A_policy_brings_its_own_rules_and_its_findings_stand_in_the_order_of_the_chain()
    {
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder()
            .AddRetry().AddPolicy(new Placed("own", NotInsideOfRetry)).AddRetry(o => o.Name = "second").AddTimeout(TimeSpan.FromSeconds(1));
        IReadOnlyList<PipelineWarning> found = builder.Build().Warnings;
        found.Select(w => w.ToString()).Should().Equal(
            "OWN001: retry > own: each attempt is asked. Put it outside.",
            "RES005: retry > second: two retries multiply: up to 4 × 4 attempts for one call. Keep one.",
            "OWN002: own > timeout: never after 00:00:01.");
        found[0].Policies.Should().Equal("retry", "own");
        found.Select(w => w.IsContradiction).Should().Equal(false, false, true);

        builder.AcceptedWarnings.Add("own001");
        builder.Build().Warnings.Select(w => w.Code).Should().Equal("RES005", "OWN002");
        builder.TreatContradictionsAsErrors = true;
        builder.Invoking(b => b.Build()).Should().Throw<ResiliencePipelineException>().WithMessage("*OWN002*");
    }

    [Fact]
    public void Rules_see_into_nested_pipelines()
    {
        ResiliencePipeline inner = new ResiliencePipelineBuilder().AddPolicy(new Placed("own", NotInsideOfRetry)).Build();
        new ResiliencePipelineBuilder().AddRetry().AddPipeline(inner).Build().Warnings.Select(w => w.Code).Should().Equal("OWN001");
    }

    [Fact]
    public void Rules_that_throw_have_nothing_to_say_and_stop_nothing()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddPolicy(new Placed("own", static check => check.Warn("OWN001", "of a stranger", new PolicyDescription("not here", PolicyRole.Other))))
                .AddRetry().AddRetry(o => o.Name = "second").Build();
        pipeline.Warnings.Select(w => w.Code).Should().Equal("RES005");
    }

    [Fact]
    public void Policies_are_told_apart_also_when_they_are_described_by_the_same_words()
    {
        object shared = new();
        void Twice(OrderCheck check)
        {
            foreach (PolicyDescription other in check.Inside.Where(check.SharesState)) check.Warn("OWN003", $"{check.Index}", other);
        }

        Placed one = new("own", Twice, shared);
        new ResiliencePipelineBuilder().AddPolicy(one).AddPolicy(new Placed("own", Twice, new object())).AddPolicy(one).AddPolicy(new Placed("own", Twice))
            .Build()
            .Warnings.Select(w => w.Message).Should().Equal("own > own: 0");
    }
}
