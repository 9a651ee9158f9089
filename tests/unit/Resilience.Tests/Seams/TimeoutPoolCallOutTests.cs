namespace Resilience.Tests.Seams;

/// <summary>Sources of timeouts are rented for each call, and the scanner knows each of them until it is dropped. Whatever throws around them, none is
/// lost: after many calls there are no more of them than after a few.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class TimeoutPoolCallOutTests
{
    private const int Calls = 400;
    private const int Few = 100; // what other threads may rent meanwhile

    private static readonly string[] CallOuts =
    [
        "nothing", "operation", "rule for exceptions", "rule for results", "name", "event", "TimeoutFor", "ShouldRetry", "OnRetry", "DelayFor", "Route", "key",
        "fallback", "ShouldHandle", "ShouldCount", "dispose", "rejection",
    ];

    private sealed class Answer(string thrower) : IDisposable
    {
        public void Dispose() => Asked(thrower, "dispose", 0);
    }

    private sealed class Carrying(string thrower) : Exception, ICarriesRejection
    {
        public Rejection? Rejection => Asked<Rejection?>(thrower, "rejection", null);

        public TimeSpan? RetryAfter => Asked<TimeSpan?>(thrower, "rejection", null);
    }

    private static T Asked<T>(string thrower, string here, T answer) => thrower == here ? throw new NotFiniteNumberException(here) : answer;

    /// <summary>A planted flaw: what throws loses the source that was rented before.</summary>
    private sealed class Leaky(string thrower) : SimplePolicy
    {
        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            TimeoutSource source = TimeoutPool.Rent(Clock.System, TimeSpan.FromMinutes(1));
            Asked(thrower, "rule for results", 0);
            TimeoutPool.Return(source);
            return next.ExecuteAsync(context);
        }
    }

    private static ResiliencePipeline<Answer> Pipeline(string thrower, bool isFlawed)
    {
        ResiliencePipelineBuilder<Answer> builder = new()
        {
            Classifier = OutcomeClassifier.Default
                .On<IOException>(_ => Asked<Verdict?>(thrower, "rule for exceptions", null))
                .OnResult<Answer>(_ => Asked<Verdict?>(thrower, "rule for results", Verdict.Failure))
                .NameException<Exception>(_ => Asked<string?>(thrower, "name", null)),
        };
        builder.OnEvent(_ => Asked(thrower, "event", 0));
        if (isFlawed) builder.AddPolicy(new Leaky(thrower));
        CircuitBreakerPartitions circuits = new(new() { MinimumCalls = 1_000_000, ShouldCount = _ => Asked(thrower, "ShouldCount", true) });
        return builder
            .AddFallback(o =>
            {
                o.ShouldHandle = _ => Asked(thrower, "ShouldHandle", true);
                o.Call = _ => new(Asked(thrower, "fallback", new Answer(thrower)));
            })
            .AddTimeout(o => (o.Timeout, o.TimeoutFor) = (TimeSpan.FromMinutes(9), _ => Asked<TimeSpan?>(thrower, "TimeoutFor", null)))
            .AddRetry(o =>
            {
                (o.MaxRetries, o.BaseDelay, o.Budget) = (2, TimeSpan.Zero, RetryBudget.Unlimited);
                o.ShouldRetry = _ => Asked(thrower, "ShouldRetry", true);
                o.OnRetry = (_, _) => Asked(thrower, "OnRetry", 0);
            })
            .AddHedging(o =>
            {
                (o.MaxAttempts, o.Delay, o.Budget) = (2, TimeSpan.FromMinutes(5), RetryBudget.Unlimited);
                o.DelayFor = _ => Asked<TimeSpan?>(thrower, "DelayFor", null);
                o.Route = (_, _) => Asked(thrower, "Route", false);
            })
            .AddCircuitBreaker(circuits, _ => Asked<string?>(thrower, "key", "k"))
            .AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromMinutes(8), TimeSpan.FromMinutes(1)))
            .Build();
    }

    /// <summary>How many sources more there are after many calls, which all stay on this thread.</summary>
    private static int Growth(string thrower, bool isFlawed = false)
    {
        ResiliencePipeline<Answer> pipeline = Pipeline(thrower, isFlawed);

        // What lies idle from the tests before would be rented in the place of what is lost, and hide it.
        List<TimeoutSource> idle = [];
        for (int known = TimeoutScanner.System.Count; TimeoutScanner.System.Count <= known;) idle.Add(TimeoutPool.Rent(Clock.System, TimeSpan.FromMinutes(1)));
        int before = TimeoutScanner.System.Count;
        for (int i = 0; i < Calls; i++)
        {
            int number = i;
            ValueTask<Outcome<Answer>> call = pipeline.TryExecuteAsync(_ => thrower == "operation" || number % 3 == 1 ? throw new IOException()
                : number % 3 == 2 ? throw new Carrying(thrower)
                : new ValueTask<Answer>(new Answer(thrower)));
            call.AsTask().GetAwaiter().GetResult().Verdict.Should().NotBe(Verdict.None);
        }

        int growth = TimeoutScanner.System.Count - before;
        idle.ForEach(TimeoutPool.Return);
        return growth;
    }

    public static TheoryData<string> All() => [.. CallOuts];

    [Theory]
    [MemberData(nameof(All))]
    public void Whatever_throws_around_a_timeout_loses_no_source(string thrower) => Growth(thrower).Should().BeLessThan(Few);

    [Fact]
    public void The_count_of_sources_finds_those_that_are_lost() => Growth("rule for results", isFlawed: true).Should().BeGreaterThan(Calls - 1 - Few);
}
