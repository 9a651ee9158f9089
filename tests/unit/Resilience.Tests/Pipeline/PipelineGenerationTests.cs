namespace Resilience.Tests.Pipelines;

/// <summary>An update is one step: it is never lost, never half done, and one that is rejected has changed nothing anywhere.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class PipelineGenerationTests
{
    private readonly ManualTime _time = new();

    private ResiliencePipelineBuilder With(int label, Action? onBind = null) =>
        new ResiliencePipelineBuilder { TimeProvider = _time }.AddPolicy(new Labelled(label, onBind));

    private static int Ask(ResiliencePipeline pipeline)
    {
        CallProperties properties = new();
        Label seen = new();
        pipeline.TryExecuteAsync<Label, int>(new() { Properties = properties.With(Labelled.Seen, seen) }, static (_, _) => new(0), seen)
            .AsTask().GetAwaiter().GetResult().IsSuccess.Should().BeTrue();
        return seen.Value;
    }

    /// <summary>The first call builds its chain from the old policies, and the update comes just then: what the call has built must not stay.</summary>
    [Fact]
    public void An_update_that_comes_while_a_first_call_binds_is_not_lost()
    {
        ResiliencePipeline pipeline = null!;
        bool updated = false;
        pipeline = With(1, () =>
        {
            if (updated) return;
            updated = true;
            pipeline.Update(With(2));
        }).Build();
        Ask(pipeline);
        updated.Should().BeTrue();
        Ask(pipeline).Should().Be(2, "the update has returned long since");
        pipeline.Update(With(3));
        Ask(pipeline).Should().Be(3);
    }

    [Fact]
    public void Of_forty_thousand_updates_that_race_with_first_calls_none_is_lost()
    {
        const int Pipelines = 40_000;
        ResiliencePipelineBuilder first = With(1), second = With(2);
        ResiliencePipeline[] pipelines = new ResiliencePipeline[Pipelines];
        for (int i = 0; i < Pipelines; i++) pipelines[i] = first.Build();
        int turn = -1, lost = 0;
        Thread caller = new(() =>
        {
            for (int i = 0; i < Pipelines; i++)
            {
                Meet(ref turn, (2 * i) + 1);
                Ask(pipelines[i]);
            }
        });
        caller.Start();
        for (int i = 0; i < Pipelines; i++)
        {
            Meet(ref turn, 2 * i);
            pipelines[i].Update(second);
            if (Ask(pipelines[i]) != 2) lost++;
        }

        caller.Join(TimeSpan.FromMinutes(2)).Should().BeTrue("each thread waits for the other to come as far, and no longer");
        lost.Should().Be(0);
        pipelines.Count(p => Ask(p) != 2).Should().Be(0);

        // Each side says where it is and waits until the other is there too, but not for ever: a thread may be off the processor.
        static void Meet(ref int turn, int mine)
        {
            int other = mine ^ 1;
            Interlocked.Exchange(ref turn, mine);
            for (int spins = 0; spins < 200 && Volatile.Read(ref turn) < other && Volatile.Read(ref turn) == mine; spins++) Thread.SpinWait(1);
        }
    }

    [Fact]
    public void Updates_that_race_leave_the_policies_and_the_state_of_one_of_them()
    {
        static ResiliencePipelineBuilder Of(int n) => new ResiliencePipelineBuilder()
            .AddCircuitBreaker(o => (o.FailureRatio, o.ConsecutiveFailures) = (null, n))
            .AddConcurrencyLimit(n, n);
        ResiliencePipeline pipeline = Of(1).Build();
        Together.Run(4, 300, _ => { }, (thread, round) => pipeline.Update(Of(1 + (thread * 7) + (round % 5))), _ =>
        {
            int? failures = pipeline.Find<CircuitBreaker>()!.TakeSnapshot().OpensAtConsecutiveFailures;
            ConcurrencyLimit limit = pipeline.Find<ConcurrencyLimit>()!;
            (limit.Limit, limit.MaxQueued).Should().Be((failures!.Value, failures.Value), "all are of the same update");
        });
    }

    [Fact]
    public void An_update_whose_policy_cannot_be_bound_is_rejected_and_changes_nothing()
    {
        CircuitBreaker shared = new(new() { Name = "shared" });
        List<ResilienceEvent> heard = [], rejected = [];
        ResiliencePipeline pipeline = With(1).AddCircuitBreaker(shared).AddCircuitBreaker(new CircuitBreakerOptions { Name = "own" }).OnEvent(heard.Add)
            .Build();
        Ask(pipeline).Should().Be(1);
        string before = pipeline.Describe().ToString();
        pipeline.Invoking(p => p.Update(new ResiliencePipelineBuilder { TimeProvider = _time }.OnEvent(rejected.Add)
            .AddCircuitBreaker(shared).AddCircuitBreaker(new CircuitBreakerOptions { Name = "own", MinimumCalls = 3 })
            .AddPolicy(new Labelled(2, () => throw new NotSupportedException("planted")))))
            .Should().Throw<NotSupportedException>();
        pipeline.Describe().ToString().Should().Be(before);
        pipeline.Find<CircuitBreaker>("own")!.TakeSnapshot().MinimumCalls.Should().Be(20);
        shared.Isolate();
        pipeline.Find<CircuitBreaker>("own")!.Isolate();
        rejected.Should().BeEmpty("an update that was rejected receives nothing");
        heard.OfType<CircuitChanged>().Select(c => c.PolicyName).Should().Equal("shared", "own");
    }

    [Fact]
    public void An_inner_pipeline_rejects_an_update_that_cannot_be_bound_in_an_outer_one()
    {
        ResiliencePipeline inner = With(1).Build();
        ResiliencePipeline outer = new ResiliencePipelineBuilder { TimeProvider = _time }.AddPipeline(inner).Build();
        Ask(outer).Should().Be(1);
        inner.Invoking(p => p.Update(With(2, () => throw new NotSupportedException("planted")))).Should().Throw<NotSupportedException>();
        Ask(outer).Should().Be(1);
        inner.Update(With(3));
        Ask(outer).Should().Be(3);
    }

    [Fact]
    public void A_pipeline_cannot_be_updated_by_its_own_update()
    {
        ResiliencePipeline pipeline = With(1).Build();
        pipeline.Invoking(p => p.Update(With(2).AddPolicy(new TimeoutOptions(), _ =>
        {
            p.Update(With(3));
            return new Labelled(4, null);
        }))).Should().Throw<InvalidOperationException>().WithMessage("*has changed nothing*");
        Ask(pipeline).Should().Be(3, "the inner update was whole");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_shared_breaker_tells_a_change_once_however_many_updates_there_were(bool partitioned)
    {
        CircuitBreakerOptions options = new() { Name = "shared" };
        CircuitBreaker breaker = new(options);
        CircuitBreakerPartitions partitions = new(options);
        List<CircuitChanged> heard = [];
        ResiliencePipelineBuilder Builder(string name)
        {
            ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder { Name = name }.OnEvent(e => heard.AddRange(e is CircuitChanged change
                ? [change] : []));
            return partitioned ? builder.AddCircuitBreaker(partitions, _ => "key") : builder.AddCircuitBreaker(breaker);
        }

        ResiliencePipeline pipeline = Builder("a").Build(), other = Builder("b").Build();
        for (int i = 0; i < 3; i++)
        {
            pipeline.Update(Builder("a"));
            pipeline.Invoking(p => p.Update(Builder("rejected").AddTimeout(TimeSpan.Zero))).Should().Throw<ResilienceOptionsException>();
            pipeline.Invoking(p => p.Update(Builder("rejected").AddPolicy(new TimeoutOptions(), _ => throw new NotSupportedException())))
                .Should().Throw<NotSupportedException>();
        }

        (partitioned ? partitions.Get("key") : breaker).Isolate();
        heard.Select(c => c.PipelineName).Should().BeEquivalentTo("a", "b");
        other.Update(new ResiliencePipelineBuilder());
        heard.Clear();
        (partitioned ? partitions.Get("key") : breaker).Close();
        heard.Select(c => c.PipelineName).Should().Equal(["a"], "the other pipeline uses it no more");
        GC.KeepAlive(pipeline);
    }

    [Fact]
    public void A_policy_takes_effect_once_and_retires_once_with_the_last_pipeline_that_has_it()
    {
        Labelled kept = new(1, null), left = new(2, null);
        ResiliencePipelineBuilder Both() => new ResiliencePipelineBuilder().AddPolicy(kept).AddPolicy(left).AddPolicy(kept);
        ResiliencePipelineBuilder One() => new ResiliencePipelineBuilder().AddPolicy(kept);
        ResiliencePipeline a = Both().Build(), b = Both().Build();
        (kept.TookEffect, left.TookEffect).Should().Be((1, 1));
        a.Update(One());
        left.Retired.Should().Be(0, "the second pipeline still has it");
        b.Update(One());
        b.Update(One());
        (kept.TookEffect, kept.Retired, left.TookEffect, left.Retired).Should().Be((1, 0, 1, 1));
        b.Update(Both());
        left.TookEffect.Should().Be(2, "it is put in use again");
    }

    [Fact]
    public void A_chaos_switch_does_not_tell_who_has_left()
    {
        ChaosSwitch own = new();
        List<ResilienceEvent> heard = [];
        ResiliencePipelineBuilder Builder(string policy) => new ResiliencePipelineBuilder { EnvironmentName = "Development" }.OnEvent(heard.Add)
            .AddChaos(o => (o.Name, o.Switch, o.Rates) = (policy, own, new() { Fault = 0.1 }));
        ResiliencePipeline pipeline = Builder("one").Build();
        pipeline.Update(Builder("two"));
        own.TurnOn();
        heard.OfType<ChaosSwitched>().Select(e => e.PolicyName).Should().Equal("two");
        GC.KeepAlive(pipeline);
    }

    private sealed class Label
    {
        internal int Value;
    }

    private sealed class Labelled(int label, Action? onBind) : ResiliencePolicy
    {
        internal static readonly ResilienceProperty<Label> Seen = new("label");

        internal int TookEffect, Retired;

        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next)
        {
            onBind?.Invoke();
            return new Link<T>(label, next);
        }

        protected internal override void TakeEffect() => TookEffect++;

        protected internal override void Retire() => Retired++;

        private sealed class Link<T>(int label, PolicyLink<T> next) : PolicyLink<T>
        {
            public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                if (context.TryGet(Seen, out Label? seen)) seen!.Value = label;
                return next.ExecuteAsync(context);
            }
        }
    }
}
