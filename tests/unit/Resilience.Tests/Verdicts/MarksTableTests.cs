using Resilience.Tests.Retry;

namespace Resilience.Tests.Verdicts;

/// <summary>What each policy does with a failure, by the marks it carries: the specification, as a table that is run.</summary>
public sealed class MarksTableTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(30);

    private readonly WatchedTime _time = new();

    private static readonly (string Name, Classification Said)[] Kinds =
    [
        ("plain", Verdict.Failure),
        ("throttled", Classification.Throttled()),
        ("permanent", Classification.Permanent),
        ("says when", new Classification(Verdict.Failure) { RetryAfter = Wait }),
        ("untouched", Classification.Untouched),
    ];

    public static TheoryData<string, string, string> Table()
    {
        TheoryData<string, string, string> table = [];
        void Row(string policy, params string[] cells)
        {
            for (int i = 0; i < Kinds.Length; i++) table.Add(policy, Kinds[i].Name, cells[i]);
        }

        //  policy                     plain             throttled       permanent     says when        untouched
        Row("retry", "again", "again", "return", "again as told", "again");
        Row("retry, forbidden", "return", "return", "return", "return", "return");
        Row("retry, forbidden unless", "return", "return", "return", "return", "again");
        Row("breaker", "bad", "nothing", "bad", "bad", "bad");
        Row("breaker, probe", "opens", "place back", "opens", "opens", "opens");
        Row("hedging", "next now", "next later", "answer", "next as told", "next now");
        Row("hedging, no delay", "next now", "answer", "answer", "next as told", "next now");
        Row("fallback", "substitute", "substitute", "substitute", "substitute", "substitute");
        return table;
    }

    [Theory]
    [MemberData(nameof(Table))]
    public async Task Each_policy_does_with_each_kind_of_failure_what_the_table_says(string policy, string kind, string expected)
    {
        foreach (bool isResult in new[] { false, true })
        {
            foreach (bool suspends in new[] { false, true })
                (await Did(policy, kind, isResult, suspends, expected)).Should().Be(expected, "result: {0}, suspends: {1}", isResult, suspends);
        }
    }

    private Task<string> Did(string policy, string kind, bool isResult, bool suspends, string expected)
    {
        Classification said = Kinds.Single(k => k.Name == kind).Said;
        Failing failing = new(isResult, suspends, policy.StartsWith("retry, forbidden", StringComparison.Ordinal),
            policy.EndsWith("unless", StringComparison.Ordinal));
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder { TimeProvider = _time }
            .Classify(r => r.On<Marked>(_ => said).OnResult<int>(n => n < 0 ? said : null));
        return policy switch
        {
            "breaker" => BreakerDid(builder, failing, false),
            "breaker, probe" => BreakerDid(builder, failing, true),
            "hedging" => HedgingDid(builder, failing, TimeSpan.FromSeconds(5), expected),
            "hedging, no delay" => HedgingDid(builder, failing, Timeout.InfiniteTimeSpan, expected),
            "fallback" => FallbackDid(builder, failing),
            _ => RetryDid(builder, failing),
        };
    }

    private sealed class Marked() : Exception("as the rule says");

    private sealed class Failing(bool isResult, bool suspends, bool forbids, bool unlessNotApplied)
    {
        public int Calls;
        private readonly System.Collections.Concurrent.ConcurrentQueue<TaskCompletionSource> _suspended = [];

        /// <summary>Lets what is suspended go on.</summary>
        public void GoOn()
        {
            while (_suspended.TryDequeue(out TaskCompletionSource? one)) one.SetResult();
        }

        public async ValueTask<int> RunAsync(ResilienceContext context)
        {
            Calls++;
            if (forbids) context.ForbidRetry("it may have been done", unlessNotApplied);
            if (suspends)
            {
                TaskCompletionSource one = new();
                _suspended.Enqueue(one);
                await one.Task.ConfigureAwait(false);
            }

            return isResult ? -1 : throw new Marked();
        }
    }

    private static ValueTask<Outcome<int>> Run(ResiliencePipeline pipeline, Failing failing) =>
        pipeline.TryExecuteAsync(default, static (context, f) => f.RunAsync(context), failing);

    private async Task<string> RetryDid(ResiliencePipelineBuilder builder, Failing failing)
    {
        List<ResilienceEvent> events = [];
        ResiliencePipeline pipeline = builder
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Jitter) = (1, TimeSpan.Zero, BackoffJitter.None)).OnEvent(events.Add).Build();
        Task<Outcome<int>> call = Run(pipeline, failing).AsTask();
        while (!call.IsCompleted)
        {
            failing.GoOn();
            _time.Advance(Wait);
            await Task.Yield();
        }

        (await call).Verdict.Should().Be(Verdict.Failure);
        RetryScheduled? scheduled = events.OfType<RetryScheduled>().SingleOrDefault();
        return failing.Calls == 1 ? "return" : scheduled!.Delay == Wait ? "again as told" : "again";
    }

    private async Task<string> BreakerDid(ResiliencePipelineBuilder builder, Failing failing, bool isProbe)
    {
        CircuitBreaker breaker = new(new() { FailureRatio = 1, MinimumCalls = 1, BreakJitter = 0 }, _time);
        if (isProbe)
        {
            breaker.TryEnter(out CircuitPermit first);
            breaker.Exit(first, Verdict.Failure);
            _time.Advance(TimeSpan.FromSeconds(5));
        }

        ValueTask<Outcome<int>> call = Run(builder.AddCircuitBreaker(breaker).Build(), failing);
        await EndAsync(call.AsTask(), failing);
        CircuitSnapshot after = breaker.TakeSnapshot();
        return after.State switch
        {
            CircuitState.Open => isProbe ? "opens" : "bad",
            CircuitState.HalfOpen when after is { ProbesOut: 0, ProbesSucceeded: 0 } => "place back",
            CircuitState.Closed when after is { Calls: 0, Failures: 0 } => "nothing",
            _ => after.ToString(),
        };
    }

    /// <summary>What is expected says whether the clock has to move; what is answered is what was seen. Where it must not move, nothing is waited for but
    /// the call; where it must, it moves when the race has heard of the failure and waits.</summary>
    private async Task<string> HedgingDid(ResiliencePipelineBuilder builder, Failing failing, TimeSpan delay, string expected)
    {
        int timersBefore = int.MaxValue;
        ResiliencePipeline pipeline = builder.AddHedging(o => (o.Delay, o.ShouldHedge) = (delay, _ =>
        {
            timersBefore = _time.Timers;
            return true;
        }
        )).Build();
        Task<Outcome<int>> call = Run(pipeline, failing).AsTask();
        if (expected is not ("next later" or "next as told"))
        {
            await EndAsync(call, failing);
            return failing.Calls == 2 ? "next now" : "answer";
        }

        // The wait for the delay is set before the failure; one that was asked for, after it.
        await UntilAsync(() => call.IsCompleted || IsWaiting(Volatile.Read(ref timersBefore)), failing);
        if (call.IsCompleted) return failing.Calls == 2 ? "next now" : "answer";
        _time.Advance(expected == "next later" ? delay : Wait - TimeSpan.FromMilliseconds(1));
        if (expected == "next as told")
        {
            failing.Calls.Should().Be(1);
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        (await EndAsync(call, failing)).Verdict.Should().Be(Verdict.Failure);
        return failing.Calls == 2 ? expected : "gave up";

        bool IsWaiting(int before) => expected == "next later" ? before < int.MaxValue : _time.Timers > before;
    }

    private static async Task<string> FallbackDid(ResiliencePipelineBuilder builder, Failing failing)
    {
        ValueTask<Outcome<int>> call = Run(builder.AddFallback(new FallbackOptions<int> { Value = 99 }).Build(), failing);
        Outcome<int> outcome = await EndAsync(call.AsTask(), failing);
        return outcome.TryGetValue(out int value) && value == 99 ? "substitute" : outcome.ToString();
    }

    private static async Task<Outcome<int>> EndAsync(Task<Outcome<int>> call, Failing failing)
    {
        await UntilAsync(() => call.IsCompleted, failing);
        return await call;
    }

    private static async Task UntilAsync(Func<bool> holds, Failing failing)
    {
        long end = Environment.TickCount64 + (long)Bound.TotalMilliseconds;
        while (!holds())
        {
            failing.GoOn();
            await Task.Yield();
            (Environment.TickCount64 < end).Should().BeTrue("the call goes on by itself");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_delegate_reports_that_nothing_was_done_and_its_objection_yields(bool reports)
    {
        int calls = 0;
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero)).Build();
        Outcome<int> outcome = await pipeline.TryExecuteAsync<int, int>(default, (context, _) =>
        {
            context.ForbidRetry("POST", unlessNotApplied: true);
            if (++calls == 1 && reports) context.ReportNotApplied();
            throw new IOException();
        }, 0);
        calls.Should().Be(reports ? 2 : 1, "the marks of the first attempt do not count for the second");
        outcome.NotApplied.Should().BeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Predicates_can_only_say_no_and_an_exception_means_no_for_retry_and_hedge_and_yes_for_count(bool throws)
    {
        AttemptResult seen = default;
        bool No(AttemptResult result)
        {
            seen = result;
            return throws ? throw new InvalidOperationException() : false;
        }

        ResiliencePipelineBuilder Builder() => new ResiliencePipelineBuilder { TimeProvider = _time }
            .Classify(r => r.OnResult<int>(n => n < 0 ? Classification.Throttled(Wait) with { NotApplied = true } : null));
        Failing plain = new(false, false, false, false);
        await Run(Builder().AddRetry(o => (o.BaseDelay, o.ShouldRetry) = (TimeSpan.Zero, No)).Build(), plain);
        plain.Calls.Should().Be(1);
        (seen.Number, seen.Verdict, seen.Counts, seen.MayRepeat, seen.NotApplied).Should().Be((0, Verdict.Failure, true, true, false));
        seen.Exception.Should().BeOfType<Marked>();

        Failing result = new(true, false, false, false);
        await Run(Builder().AddHedging(o => o.ShouldHedge = No).Build(), result);
        result.Calls.Should().Be(1, "it is the answer");
        seen.TryGetResult(out int value).Should().BeTrue();
        (value, seen.Counts, seen.NotApplied, seen.RetryAfter).Should().Be((-1, false, true, (TimeSpan?)Wait));
        seen.Exception.Should().BeNull();

        CircuitBreaker breaker = new(new() { FailureRatio = 1, MinimumCalls = 1, ShouldCount = No }, _time);
        await Run(Builder().AddCircuitBreaker(breaker).Build(), new(false, false, false, false));
        breaker.State.Should().Be(throws ? CircuitState.Open : CircuitState.Closed);

        // Only no: what the classifier does not count, no predicate counts; what it calls permanent, no predicate repeats.
        CircuitBreaker other = new(new() { FailureRatio = 1, MinimumCalls = 1, ShouldCount = _ => true }, _time);
        await Run(Builder().AddCircuitBreaker(other).Build(), new(true, false, false, false));
        other.State.Should().Be(CircuitState.Closed);
        Failing permanent = new(true, false, false, false);
        await Run(new ResiliencePipelineBuilder().Classify(r => r.OnResult<int>(_ => Classification.Permanent))
            .AddRetry(o => (o.BaseDelay, o.ShouldRetry) = (TimeSpan.Zero, _ => true)).Build(), permanent);
        permanent.Calls.Should().Be(1);
    }

    [Fact]
    public async Task A_hedge_that_waits_for_a_throttled_dependency_ends_when_the_caller_leaves()
    {
        using CancellationTokenSource caller = new();
        Failing failing = new(false, false, false, false);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .Classify(r => r.On<Marked>(Classification.Throttled())).AddHedging(o => o.Delay = TimeSpan.FromMinutes(1)).Build();
        Task<Outcome<int>> call = pipeline.TryExecuteAsync(default, static (context, f) => f.RunAsync(context), failing, caller.Token).AsTask();
        await caller.CancelAsync();
        Outcome<int> outcome = await call.WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeOfType<OperationCanceledException>().Which.CancellationToken.Should().Be(caller.Token);
        outcome.Exception!.InnerException.Should().BeOfType<Marked>();
        failing.Calls.Should().Be(1);
    }
}
