namespace Resilience.Tests.Seams;

/// <summary>Delegates that return an object again which they returned before, in every order: the caller never gets one that was disposed of, and
/// every other one is disposed of once.</summary>
public sealed partial class ReturnedAgainTests
{
    private const int Attempts = 4;

    private static readonly string[] Orders =
        [.. Enumerable.Range(0, 81).Select(n => $"{"ABC"[n / 27 % 3]}{"ABC"[n / 9 % 3]}{"ABC"[n / 3 % 3]}{"ABC"[n % 3]}")];

    private sealed class Thing(char name) : IDisposable
    {
        public char Name => name;

        public int Disposed { get; private set; }

        public void Dispose() => Disposed++;
    }

    private sealed class Shelf(string order)
    {
        private readonly Dictionary<char, Thing> _things = order.Distinct().ToDictionary(c => c, c => new Thing(c));
        private int _next;

        public Thing Next() => _things[order[_next++]];

        public Thing this[char name] => _things[name];

        /// <summary>What is wrong when the call has ended with this one; null: nothing.</summary>
        public string? Wrong(Thing? returned, int brought)
        {
            if (returned is { Disposed: > 0 }) return $"{order}: {returned.Name} is returned and was disposed of";
            foreach (Thing other in order[..brought].Distinct().Select(c => _things[c]).Where(t => t != returned))
            {
                if (other.Disposed != 1) return $"{order}: {other.Name} was disposed of {other.Disposed} times";
            }

            return null;
        }
    }

    /// <summary>As it was: an attempt's result is thrown away unless the next attempt brings the same.</summary>
    private sealed class Forgetful : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(next);

        private sealed class Link<T>(PolicyLink<T> next) : PolicyLink<T>
        {
            public override async ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                Outcome<T> outcome = await next.ExecuteAsync(context);
                for (int i = 1; i < Attempts; i++)
                {
                    Outcome<T> former = outcome;
                    outcome = await next.ExecuteAsync(context);
                    if (!ReferenceEquals(former.Value, outcome.Value)) (former.Value as IDisposable)?.Dispose();
                }

                return outcome;
            }
        }
    }

    private static ResiliencePipeline Pipeline(string how, TimeProvider time)
    {
        ResiliencePipelineBuilder builder = new() { TimeProvider = time, Classifier = OutcomeClassifier.Default.OnResult<Thing>(_ => Verdict.Failure) };
        return how switch
        {
            "retry" => builder.AddRetry(o => (o.MaxRetries, o.BaseDelay) = (Attempts - 1, TimeSpan.FromSeconds(1))).Build(),
            "retry around hedging" => builder.AddRetry(o => o.MaxRetries = Attempts - 1).AddHedging(o => o.MaxAttempts = 1).Build(),
            "hedging" => builder.AddHedging(o => (o.MaxAttempts, o.Delay) = (Attempts, TimeSpan.FromSeconds(1))).Build(),
            _ => builder.AddPolicy(new Forgetful()).Build(),
        };
    }

    private static string? Wrong(string how, string order, bool suspends)
    {
        SteppedTime time = new();
        Shelf shelf = new(order);
        Task<Outcome<Thing>> call = Pipeline(how, time).TryExecuteAsync(async _ =>
        {
            if (suspends) await ClockWait.ForAsync(Clock.For(time), TimeSpan.FromMilliseconds(10), default);
            return shelf.Next();
        }).AsTask();
        time.RunUntil(call);
        return shelf.Wrong(call.Result.Value, Attempts);
    }

    [Theory]
    [InlineData("retry")]
    [InlineData("retry around hedging")]
    [InlineData("hedging")]
    public Task In_whatever_order_objects_are_returned_again_the_caller_gets_one_that_was_not_disposed_of(string how) => Task.Run(() =>
    {
        foreach (string order in Orders)
        {
            Wrong(how, order, suspends: false).Should().BeNull();
            Wrong(how, order, suspends: true).Should().BeNull();
        }
    });

    [Fact]
    public Task The_check_finds_a_policy_that_looks_at_the_next_attempt_alone() => Task.Run(() =>
        Orders.Count(order => Wrong("forgetful", order, suspends: false) is not null).Should().BeGreaterThan(10));

    /// <summary>The first attempt hangs and is left behind. It brings something while the retry waits, beside the second attempt, or after the call.</summary>
    [Theory]
    [InlineData("retry")]
    [InlineData("hedging")]
    public Task What_an_abandoned_attempt_brings_is_disposed_of_unless_the_caller_gets_it(string around) => Task.Run(() =>
    {
        foreach (string order in new[] { "AA", "AB" })
        {
            foreach (string when in new[] { "while the policy waits", "beside the second", "after the call" }) Abandoned(around, order, when);
        }
    });

    private static void Abandoned(string around, string order, string when)
    {
        SteppedTime time = new();
        Shelf shelf = new(order);
        TaskCompletionSource<Thing> late = new(), second = new();
        int attempts = 0;
        ResiliencePipelineBuilder builder = new() { TimeProvider = time };
        if (around == "retry") builder.AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Jitter) = (1, TimeSpan.FromSeconds(60), BackoffJitter.None));
        else builder.AddHedging(o => (o.MaxAttempts, o.Delay) = (2, TimeSpan.FromSeconds(60)));
        ResiliencePipeline pipeline = builder.AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromSeconds(1), TimeSpan.Zero)).Build();
        Task<Outcome<Thing>> call = pipeline.TryExecuteAsync(_ => new ValueTask<Thing>(++attempts == 1 ? late.Task : second.Task)).AsTask();
        time.Advance(TimeSpan.FromSeconds(1.5));
        if (when == "while the policy waits" && around == "retry") late.SetResult(shelf[order[0]]); // a race does not wait
        if (around == "retry") time.Advance(TimeSpan.FromSeconds(60));
        attempts.Should().Be(2);
        if (when == "beside the second") late.TrySetResult(shelf[order[0]]);
        second.SetResult(shelf[order[1]]);
        time.RunUntil(call);
        late.TrySetResult(shelf[order[0]]);
        time.Advance(TimeSpan.FromSeconds(1));
        call.Result.Value.Should().BeSameAs(shelf[order[1]]);
        shelf.Wrong(call.Result.Value, 2).Should().BeNull("{0} around, it came {1}", around, when);
    }

    [Fact]
    public void What_is_kept_is_bounded_and_what_comes_late_is_disposed_of_once()
    {
        Leftovers left = new();
        Thing[] things = [.. Enumerable.Range(0, Leftovers.Max + 5).Select(_ => new Thing('x'))];
        Thing returned = things[^1];
        foreach (Thing thing in things.Concat(things.TakeLast(9))) left.Add(thing);
        things.Count(t => t.Disposed == 1).Should().Be(5, "the oldest go");
        left.End(returned);
        left.End(null);
        Thing late = new('y');
        foreach (Thing thing in new[] { late, late, returned, things[9] }) left.Add(thing);
        things.SkipLast(1).Append(late).Should().OnlyContain(t => t.Disposed == 1);
        returned.Disposed.Should().Be(0, "the caller has it");
    }

    private readonly record struct Lease(Thing Held) : IDisposable
    {
        public void Dispose() => Held.Dispose();
    }

    [Fact]
    public async Task Values_that_hold_the_same_thing_are_the_same()
    {
        Thing[] things = [new('A'), new('B')];
        int next = 0;
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Classifier = OutcomeClassifier.Default.OnResult<Lease>(_ => Verdict.Failure) }
            .AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.FromMilliseconds(1))).Build();
        Outcome<Lease> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<Lease>(new Lease(things[next++ % 2])));
        outcome.Value.Held.Should().BeSameAs(things[0]);
        things.Select(t => t.Disposed).Should().Equal(0, 1);
    }

    /// <summary>A stub that answers with one response, as tests have it: the retry does not dispose of its body, which holds no connection.</summary>
    [Fact]
    public async Task A_response_that_was_never_on_a_wire_may_be_returned_each_time()
    {
        using HttpResponseMessage stub = new(System.Net.HttpStatusCode.ServiceUnavailable) { Content = new StringContent("busy") };
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Classifier = OutcomeClassifier.Default.OnResult<HttpResponseMessage>(_ => Verdict.Failure) }
            .AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.FromMilliseconds(1))).Build();
        HttpResponseMessage answer = (await pipeline.TryExecuteAsync(_ => new ValueTask<HttpResponseMessage>(stub))).Value;
        (await answer.Content.ReadAsStringAsync()).Should().Be("busy");
    }

    /// <summary>The fixed value of a fallback serves all calls: a loser of a race that brings it must not have it disposed of.</summary>
    [Fact]
    public Task The_value_of_a_fallback_is_not_disposed_of_with_the_loser_of_a_race() => Task.Run(() =>
    {
        SteppedTime time = new();
        Thing shared = new('S'), fresh = new('F');
        int attempts = 0;
        ResiliencePipeline<Thing> pipeline = new ResiliencePipelineBuilder<Thing> { TimeProvider = time }
            .AddHedging(o => (o.MaxAttempts, o.Delay) = (2, TimeSpan.FromSeconds(1))).AddFallback(o => o.Value = shared).Build();
        Task<Thing> call = pipeline.ExecuteAsync(async _ =>
        {
            bool isFirst = ++attempts == 1;
            await ClockWait.ForAsync(Clock.For(time), TimeSpan.FromSeconds(isFirst ? 3 : 1), default);
            return isFirst ? throw new InvalidOperationException("late, and in vain") : fresh;
        }).AsTask();
        time.RunUntil(call);
        time.Advance(TimeSpan.FromSeconds(9));
        call.Result.Should().BeSameAs(fresh);
        (shared.Disposed, fresh.Disposed).Should().Be((0, 0));
    });
}
