using Microsoft.Coyote.Specifications;

namespace Resilience.Verification.Coyote;

/// <summary>An update of a living pipeline beside first calls, other updates and rejected ones, in every order of their atomic steps. What a pipeline is
/// told to be, it is: a call that begins after an update has returned goes by it.</summary>
public sealed class PipelineScheduleTests(ITestOutputHelper output)
{
    [CoyoteFact]
    public void An_update_is_not_lost_to_a_first_call() => Exhaust(() =>
    {
        ResiliencePipeline pipeline = Of(1).Build();
        int during = 0;
        Threads.Run(() => pipeline.Update(Of(2)), () => during = Ask(pipeline));
        Specification.Assert(during is 1 or 2, "the first call went by {0}", during);
        Specification.Assert(Ask(pipeline) == 2, "the update has returned, and a call goes by {0}", Ask(pipeline));
    });

    [CoyoteFact]
    public void An_update_is_not_lost_to_first_calls_of_two_result_types() => Exhaust(() =>
    {
        ResiliencePipeline pipeline = Of(1).Build();
        Threads.Run(() => pipeline.Update(Of(2)), () => Ask(pipeline), () => AskForText(pipeline));
        Specification.Assert(Ask(pipeline) == 2 && AskForText(pipeline) == 2, "calls go by {0} and {1}", Ask(pipeline), AskForText(pipeline));
    });

    [CoyoteFact]
    public void A_call_that_begins_after_the_update_goes_by_it() => Exhaust(() =>
    {
        ResiliencePipeline pipeline = Of(1).Build();
        int after = 0;
        Threads.Run(
            () =>
            {
                pipeline.Update(Of(2));
                after = Ask(pipeline);
            },
            () => Ask(pipeline));
        Specification.Assert(after == 2, "it went by {0}", after);
    });

    [CoyoteFact]
    public void Of_two_updates_and_a_first_call_one_update_is_whole() => Exhaust(() =>
    {
        ResiliencePipeline pipeline = WithBreaker(1).Build();
        Threads.Run(() => pipeline.Update(WithBreaker(2)), () => pipeline.Update(WithBreaker(3)), () => Ask(pipeline));
        int calls = Ask(pipeline), breaker = pipeline.Find<CircuitBreaker>()!.TakeSnapshot().OpensAtConsecutiveFailures!.Value;
        Specification.Assert(calls is 2 or 3 && calls == breaker, "calls go by {0}, the breaker by {1}", calls, breaker);
    });

    [CoyoteFact]
    public void A_typed_pipeline_is_one_generation_at_a_time() => Exhaust(() =>
    {
        ResiliencePipeline<int> pipeline = Typed(1).Build();
        int during = 0;
        string name = "";
        Threads.Run(
            () => pipeline.Update(Typed(2)),
            () =>
            {
                during = Ask(pipeline);
                name = pipeline.Name;
            });
        Specification.Assert(during == 1 || name == "2", "a call went by the new policies, and then the pipeline was called {0}", name);
        Specification.Assert(Ask(pipeline) == 2 && pipeline.Name == "2", "calls go by {0}, the name is {1}", Ask(pipeline), pipeline.Name);
    });

    [CoyoteFact]
    public void An_outer_pipeline_follows_an_inner_one() => Exhaust(() =>
    {
        ResiliencePipeline inner = Of(1).Build();
        ResiliencePipeline outer = new ResiliencePipelineBuilder().AddPipeline(inner).Build();
        Threads.Run(() => inner.Update(Of(2)), () => Ask(outer), () => Ask(outer));
        Specification.Assert(Ask(outer) == 2, "the inner pipeline was updated, the outer goes by {0}", Ask(outer));
    });

    [CoyoteFact]
    public void Beside_a_rejected_update_a_shared_breaker_tells_each_pipeline_once() => Exhaust(() =>
    {
        CircuitBreaker shared = new(new());
        List<string> heard = [];
        ResiliencePipelineBuilder Of(string name) => new ResiliencePipelineBuilder { Name = name }
            .OnEvent(e => heard.Add(e.PipelineName)).AddCircuitBreaker(shared);
        ResiliencePipeline first = Of("first").Build(), second = Of("second").Build();
        Threads.Run(() => first.Update(Of("first")), () => second.Update(Of("second")), () => Reject(first, Of("rejected")));
        shared.Isolate();
        heard.Sort(StringComparer.Ordinal);
        Specification.Assert(string.Join(' ', heard) == "first second", "heard by {0}", string.Join(' ', heard));
        GC.KeepAlive(first);
        GC.KeepAlive(second);
    });

    /// <summary>As it was: parts and chains in two words, and an update that publishes the empty array, which is the same each time.</summary>
    [CoyoteFact]
    public void An_update_in_two_words_is_found()
    {
        Exploration found = Explorer.Exhaust(
            () =>
            {
                TwoWords pipeline = new(1);
                Threads.Run(() => pipeline.Update(2), () => pipeline.Ask());
                Specification.Assert(pipeline.Ask() == 2, "the update has returned, and a call goes by {0}", pipeline.Ask());
            },
            Grain.Volatiles,
            10_000);
        output.WriteLine($"found after {found.Schedules} schedules");
        found.Flaw.Should().Contain("the update has returned");
    }

    private sealed class TwoWords(int label)
    {
        private int _parts = label;
        private object?[] _chains = [];

        internal void Update(int next)
        {
            Volatile.Write(ref _parts, next);
            Interlocked.Exchange(ref _chains, []);
        }

        internal int Ask()
        {
            while (true)
            {
                object?[] seen = Volatile.Read(ref _chains);
                if (seen.Length > 0) return (int)seen[0]!;
                object?[] grown = [Volatile.Read(ref _parts)];
                if (Interlocked.CompareExchange(ref _chains, grown, seen) == seen) return (int)grown[0]!;
            }
        }
    }

    private static ResiliencePipelineBuilder Of(int label) => new ResiliencePipelineBuilder().AddPolicy(new Labelled(label));

    private static ResiliencePipelineBuilder WithBreaker(int label) =>
        Of(label).AddCircuitBreaker(o => (o.FailureRatio, o.ConsecutiveFailures) = (null, label));

    private static ResiliencePipelineBuilder<int> Typed(int label) => new ResiliencePipelineBuilder<int> { Name = $"{label}" }.AddPolicy(new Labelled(label));

    private static void Reject(ResiliencePipeline pipeline, ResiliencePipelineBuilder builder)
    {
        try
        {
            pipeline.Update(builder.AddPolicy(new TimeoutOptions(), static _ => throw new NotSupportedException()));
        }
        catch (NotSupportedException)
        {
        }
    }

    /// <summary>By which policies a call goes.</summary>
    private static int Ask(ResiliencePipeline pipeline) => pipeline.TryExecuteAsync<int>(Never<int>).GetAwaiter().GetResult().Value;

    private static int AskForText(ResiliencePipeline pipeline) => pipeline.TryExecuteAsync<string>(Never<string>).GetAwaiter().GetResult().Value!.Length;

    private static int Ask(ResiliencePipeline<int> pipeline) => pipeline.TryExecuteAsync(Never<int>).GetAwaiter().GetResult().Value;

    private static ValueTask<T> Never<T>(CancellationToken token) => throw new InvalidOperationException("the policy answers");

    private void Exhaust(Action scenario)
    {
        Exploration found = Explorer.Exhaust(scenario, Grain.Volatiles, Bounds.Of(400, 20_000));
        output.WriteLine($"{found.Schedules:N0} schedules{(found.IsComplete ? ", no other exists" : "")}");
        found.Flaw.Should().BeNull();
        Exploration atomics = Explorer.Exhaust(scenario, Grain.Atomics, Bounds.Of(1000, 100_000));
        output.WriteLine($"{atomics.Schedules:N0} orders of the atomic steps{(atomics.IsComplete ? ", no other exists" : "")}");
        atomics.Flaw.Should().BeNull();
    }

    /// <summary>Answers with its label, as a number or as a text of that length.</summary>
    private sealed class Labelled(int label) : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => (PolicyLink<T>)(typeof(T) == typeof(int)
            ? new Link<int>(label)
            : (object)new Link<string>(new('x', label)));

        private sealed class Link<T>(T answer) : PolicyLink<T>
        {
            public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => new(Outcome.Success(answer));
        }
    }
}
