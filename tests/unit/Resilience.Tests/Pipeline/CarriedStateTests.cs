using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Pipelines;

/// <summary>A state that an update hands on, for a policy of another author.</summary>
public sealed class CarriedStateTests
{
    private sealed class TallyOptions : PolicyOptions
    {
        public int Max { get; set; } = 1;

        protected internal override string Kind => "tally";

        protected internal override void Check(OptionsCheck check) => check.Number(nameof(Max), Max, 1);
    }

    private sealed class Tally(int max)
    {
        public int Max { get; set; } = max;

        public string Told { get; set; } = "";
    }

    private class TallyPolicy : SimplePolicy
    {
        private readonly CarriedState<Tally, TallyOptions> _carried;

        internal TallyPolicy(TallyOptions options, PolicyEnvironment environment) => _carried = new(
            this, environment, options, (o, _) => new(o.Max), (t, o, _) => (t.Max, t.Told) = (o.Max, t.Told + " adopted"), (t, _) => t.Told += "begun", (t, _) => t.Told += " abandoned");

        public override object? State => _carried.State;

        protected internal override CarriedState? Carried => _carried;

        public override PolicyDescription Describe() =>
            new("tally", PolicyRole.Other) { Options = [new("max", $"{_carried.Pending?.Max ?? _carried.State.Max}")] };

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    private sealed class OtherTallyPolicy(TallyOptions options, PolicyEnvironment environment) : TallyPolicy(options, environment);

    private static ResiliencePipelineBuilder Builder(int max, TimeProvider? time = null)
    {
        ResiliencePipelineBuilder builder = new();
        if (time is not null) builder.TimeProvider = time;
        return builder.AddPolicy(new TallyOptions { Max = max }, static (o, e) => new TallyPolicy(o, e));
    }

    [Fact]
    public void An_update_hands_the_state_on_with_its_new_options_once_it_takes_effect()
    {
        ResiliencePipeline pipeline = Builder(1).Build();
        Tally tally = pipeline.Find<Tally>()!;
        tally.Told.Should().Be("begun");

        pipeline.Update(Builder(2));
        pipeline.Find<Tally>().Should().BeSameAs(tally);
        (tally.Max, tally.Told)
            .Should().Be((2, "begun adopted abandoned"), "the former policy has retired; by its environment a state sees that it was handed on");

        pipeline.Update(new ResiliencePipelineBuilder());
        tally.Told.Should().Be("begun adopted abandoned abandoned");
    }

    [Fact]
    public void An_update_that_is_rejected_changes_nothing()
    {
        ResiliencePipeline pipeline = Builder(1).Build();
        Tally tally = pipeline.Find<Tally>()!;
        string? described = null;
        ResiliencePipelineBuilder wrong = Builder(2).AddPolicy(new TallyOptions { Name = "other" }, (_, _) =>
        {
            described = "made";
            throw new InvalidOperationException();
        });
        pipeline.Invoking(p => p.Update(wrong)).Should().Throw<InvalidOperationException>();
        (tally.Max, tally.Told, described).Should().Be((1, "begun", "made"));
    }

    [Fact]
    public void While_an_update_is_checked_the_new_options_are_described_and_the_old_ones_hold()
    {
        ResiliencePipeline pipeline = Builder(1).Build();
        Tally tally = pipeline.Find<Tally>()!;
        (string Described, int Holds) seen = default;
        pipeline.Update(Builder(7).AddPolicy(new Asking(check => seen = (check.Chain[0].Options[0].Value, tally.Max))));
        seen.Should().Be(("7", 1));
        tally.Max.Should().Be(7);
    }

    private sealed class Asking(Action<OrderCheck> ask) : SimplePolicy
    {
        public override PolicyDescription Describe() => new("asks", PolicyRole.Other) { CheckOrder = ask };

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    [Fact]
    public void A_policy_of_another_type_or_with_another_clock_begins_anew()
    {
        ResiliencePipeline pipeline = Builder(1).Build();
        Tally tally = pipeline.Find<Tally>()!;
        pipeline.Update(new ResiliencePipelineBuilder().AddPolicy(new TallyOptions(), static (o, e) => new OtherTallyPolicy(o, e)));
        pipeline.Find<Tally>().Should().NotBeSameAs(tally);

        Tally second = pipeline.Find<Tally>()!;
        pipeline.Update(Builder(1, new FakeTimeProvider()));
        pipeline.Find<Tally>().Should().NotBeSameAs(second);
    }
}
