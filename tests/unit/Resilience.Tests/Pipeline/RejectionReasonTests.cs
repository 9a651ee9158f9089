using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Pipeline;

/// <summary>A rejection is one sentence with five facts: who rejected, why, with which counts, since when and until when.</summary>
public sealed class RejectionReasonTests
{
    private readonly FakeTimeProvider _time = new(new(2026, 1, 1, 12, 0, 3, TimeSpan.Zero));

    /// <summary>Kind, then the facts in the order in which the sentence has them. A fact that a kind cannot know is given in words.</summary>
    public static TheoryData<string, string[]> Sentences() => new()
    {
        {
            "open", [
                "orders/breaker: ", "the circuit has been open ", "since 12:00:03Z ", "because 12 of 20 calls in the last 10 s failed (limit 50 %); ",
                "it will let a probe through in 3.2 s, at 12:00:08Z."]
        },
        {
            "open over calls", [
                "orders/breaker: ", "the circuit has been open ", "since 12:00:03Z ", "because 12 of the last 20 calls failed (limit 50 %); ",
                "it will let a probe through in 3.2 s, at 12:00:08Z."]
        },
        {
            "open after a run", [
                "orders/breaker: ", "the circuit has been open ", "since 12:00:03Z ", "because 3 calls in a row failed (limit 3); ",
                "it will let a probe through in 3.2 s, at 12:00:08Z."]
        },
        {
            "open for slowness", [
                "orders/breaker: ", "the circuit has been open ", "since 12:00:23Z ", "because 2 of 2 calls in the last 10 s took 100 ms or longer (limit 50 %); ",
                "it will let a probe through in 3.2 s, at 12:00:28Z."]
        },
        {
            "half open", [
                "orders/breaker: ", "the circuit has been half-open ", "since 12:00:08Z, ", "its only probe is under way; ", "12 of 20 calls in the last 10 s failed (limit 50 %); ",
                "a probe that does not return loses its place in 30 s, at 12:00:38Z."]
        },
        {
            "ramping", [
                "orders/breaker: ", "the circuit closed at 12:00:08Z ", "a growing share of the calls, from 1 %, and this call was not in it; ", "12 of 20 calls in the last 10 s failed (limit 50 %); ",
                "it will admit all in 10 s, at 12:00:18Z."]
        },
        {
            "isolated", [
                "orders/breaker: ", "the circuit has been isolated by hand ", "since 12:00:03Z; ", "it stays open until it is closed by hand."]
        },
        {
            "of a key", [
                "breaker: ", "the circuit of 'tenant 7' has been isolated by hand ", "since 12:00:03Z; ", "until it is closed by hand."]
        },
        {
            "full", ["orders/concurrency-limit: ", "the only place is taken at this moment (limit 1) ", "and no call may wait (queue limit 0); ", "when a running call ends."]
        },
        {
            "full queue", ["orders/concurrency-limit: ", "the only place is taken at this moment (limit 1) ", "and the queue is full (queue limit 1); ", "when a running call ends."]
        },
        {
            "waited", ["orders/concurrency-limit: ", "the only place is taken at this moment (limit 1) ", "and none became free within the longest wait (5 s) ", "when a running call ends."]
        },
        {
            "throttled", [
                "orders/adaptive-throttle: ", "it accepted none of the last 200 calls of criticality 'critical', ",
                "so 90 % of such calls are rejected here ", "when it accepts more."]
        },
        {
            "no place", [
                "orders/adaptive-limit: ", "all places for calls of criticality 'critical' are taken at this moment (limit 1) ",
                "and this call does not wait; ", "when a running call ends."]
        },
        {
            "shed", [
                "orders: ", "a request of criticality 'critical' was rejected: all places for its class are taken ", "(limit 1, adapted)."]
        },
        { "KeyMissing", ["orders/idempotency: ", "the call has no idempotency key, ", "as of 12:00:03Z; ", "calls without one are rejected."] },
        { "KeyReused", ["orders/idempotency: ", "the key of record 1a2b was used for a different call, ", "as of 12:00:03Z; ", "a key of its own."] },
        { "InFlight", ["orders/idempotency: ", "the same call (record 1a2b) is under way, ", "as of 12:00:03Z; ", "retry ", "in 2 s, at 12:00:05Z."] },
        { "OutcomeUnknown", ["orders/idempotency: ", "(record 1a2b) was begun before and its outcome is unknown, ", "as of 12:00:03Z; ", "until its record has expired."] },
        { "ResultNotKept", ["orders/idempotency: ", "(record 1a2b) was done before, but its result was not kept, ", "as of 12:00:03Z; ", "nothing more to do."] },
        { "Unreadable", ["orders/idempotency: ", "the outcome of the call (record 1a2b) cannot be read, ", "as of 12:00:03Z; ", "until its record has expired."] },
        { "StoreUnavailable", ["orders/idempotency: ", "the store cannot be asked about record 1a2b (the disk is gone), ", "as of 12:00:03Z; ", "in 2 s, at 12:00:05Z."] },
        { "ClaimLost", ["orders/idempotency: ", "the claim (record 1a2b) was lost while the call ran, ", "as of 12:00:03Z; ", "in 2 s, at 12:00:05Z."] },
        { "Stopping", ["orders/idempotency: ", "this process is stopping and does not begin the call (record 1a2b), ", "as of 12:00:03Z; ", "in 2 s, at 12:00:05Z."] },
    };

    [Theory]
    [MemberData(nameof(Sentences))]
    public async Task Every_rejection_says_who_why_with_which_counts_since_when_and_until_when(string kind, string[] facts)
    {
        Rejection rejection = await MakeAsync(kind);
        int at = 0;
        foreach (string fact in facts)
        {
            int found = rejection.Reason.IndexOf(fact, at, StringComparison.Ordinal);
            found.Should().BeGreaterThanOrEqualTo(at, "'{0}' says '{1}'", rejection.Reason, fact);
            at = found + fact.Length;
        }

        rejection.Reason.Should().StartWith(facts[0]).And.EndWith(facts[^1]);
        rejection.ToException().Message.Should().Be(rejection.Reason);
        rejection.ToString().Should().Be(rejection.Reason);
        Outcome.Rejected<int>(rejection).ToString().Should().EndWith(rejection.Reason);
    }

    [Fact]
    public void Every_kind_of_rejection_has_its_sentence_above()
    {
        string[] kinds = [.. Sentences().Select(row => (string)row[0])];
        kinds.Should().Contain(Enum.GetNames<IdempotencyRejectionReason>());
        typeof(Rejection).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Rejection)))
            .Should().BeEquivalentTo([typeof(CircuitRejection), typeof(LimitRejection), typeof(IdempotencyRejection), typeof(ThrottleRejection),
                typeof(AdaptiveLimitRejection), typeof(ShedRejection)], "a new one needs rows above");
    }

    [Fact]
    public async Task Time_goes_on_in_the_sentence_and_yesterday_has_a_date()
    {
        Rejection rejection = await MakeAsync("open");
        _time.Advance(TimeSpan.FromSeconds(3.2));
        rejection.Reason.Should().EndWith("it will let a probe through now.");
        _time.Advance(TimeSpan.FromDays(1));
        rejection.Reason.Should().Contain("since 2026-01-01 12:00:03Z");
    }

    [Fact]
    public async Task A_stopped_retry_says_why_with_its_counts_and_what_the_caller_gets()
    {
        (await StopReasonAsync(o => o.MaxRetries = 0)).Should().Be(
            "orders/retry: attempt 1 ended at 12:00:03Z (System.IO.IOException) and is not retried because all 1 attempts are used up; the caller gets this outcome.");
        (await StopReasonAsync(o => o.Budget = Spent())).Should().Contain("because the retry budget is spent, its balance is 0 (0 per call + 0/s over 10 s);");
        (await StopReasonAsync(o => o.ShouldRetry = _ => false)).Should().Contain("because ShouldRetry said no;");
        (await StopReasonAsync(o => (o.Jitter, o.BaseDelay) = (BackoffJitter.None, TimeSpan.FromSeconds(4)), TimeSpan.FromSeconds(3)))
            .Should().Contain("because a wait of 4 s would end after the deadline, which is 3 s away;");
    }

    private RetryBudget Spent() => new(new RetryBudgetOptions { Ratio = 0, MinRetriesPerSecond = 0 }, _time);

    private async Task<string> StopReasonAsync(Action<RetryOptions> configure, TimeSpan? timeout = null)
    {
        List<RetryStopped> stopped = [];
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder { Name = "orders", TimeProvider = _time }
            .OnEvent(e => stopped.AddRange(new[] { e }.OfType<RetryStopped>()));
        if (timeout is { } total) builder.AddTimeout(total);
        ResiliencePipeline pipeline = builder.AddRetry(configure).Build();
        IOException error = new();
        (await pipeline.TryExecuteAsync<int>(_ => throw error)).Error.Should().BeSameAs(error);
        return stopped.Should().ContainSingle().Which.Explanation;
    }

    private Task<Rejection> MakeAsync(string kind) => kind switch
    {
        "full" or "full queue" or "waited" => FromLimitAsync(kind),
        _ when Enum.TryParse(kind, out IdempotencyRejectionReason why) =>
            Task.FromResult<Rejection>(new IdempotencyRejection("orders", "idempotency", why, _time, "1a2b", TimeSpan.FromSeconds(2),
                new IOException("the disk is gone"))),
        "of a key" => Task.FromResult<Rejection>(OfAKey()),
        "throttled" => FromThrottleAsync(),
        "no place" => FromAdaptiveLimitAsync(),
        "shed" => FromLoadShedderAsync(),
        _ => FromBreakerAsync(kind),
    };

    private async Task<Rejection> FromThrottleAsync()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "orders", TimeProvider = _time, Randomness = Randomness.Seeded(1) }
            .AddAdaptiveThrottle().Build();
        for (int i = 0; i < 200; i++) pipeline.Find<AdaptiveThrottle>()!.Record(Criticality.Critical, isAccepted: false);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        while (true)
        {
            if (await RejectedAsync(pipeline) is { } rejection) return rejection;
        }
    }

    private async Task<Rejection> FromLoadShedderAsync()
    {
        LoadShedderOptions options = new() { Name = "orders" };
        (options.Limit.MinLimit, options.Limit.InitialLimit, options.Limit.MaxQueued) = (1, 1, 0);
        using LoadShedder shedder = new(options, _time);
        await shedder.EnterAsync(new(Criticality.Critical));
        return (await shedder.EnterAsync(new(Criticality.Critical))).Rejection!;
    }

    private async Task<Rejection> FromAdaptiveLimitAsync()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "orders", TimeProvider = _time }
            .AddAdaptiveConcurrencyLimit(o => o.InitialLimit = 1).Build();
        pipeline.Find<AdaptiveConcurrencyLimit>()!.TryEnter();
        return (await RejectedAsync(pipeline))!;
    }

    private CircuitRejection OfAKey()
    {
        CircuitBreaker breaker = new CircuitBreakerPartitions(new() { Name = "breaker" }, timeProvider: _time).Get("tenant 7");
        breaker.Isolate();
        return breaker.TakeSnapshot().Rejection!;
    }

    private async Task<Rejection> FromBreakerAsync(string kind)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "orders", TimeProvider = _time }.AddCircuitBreaker(options =>
        {
            (options.Name, options.FailureRatio, options.MinimumCalls, options.BreakDuration, options.BreakJitter) = ("breaker", 0.5, 20,
                TimeSpan.FromSeconds(5), 0);
            (options.Probes, options.ProbeLease, options.RampDuration, options.RampFrom) = (1, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(10), 0.01);
            if (kind == "open over calls") options.SamplingCalls = 40;
            if (kind == "open after a run") options.ConsecutiveFailures = 3;
            if (kind == "open for slowness")
                (options.SlowCallThreshold, options.SlowCallRatio, options.MinimumCalls) = (TimeSpan.FromMilliseconds(100), 0.5, 2);
        }).Build();
        if (kind == "isolated") pipeline.Find<CircuitBreaker>()!.Isolate();
        else if (kind == "open for slowness") await CallAsync(pipeline, 2, () => { _time.Advance(TimeSpan.FromSeconds(10)); return 1; });
        else await FailAsync(pipeline);
        if (kind is "half open" or "ramping")
        {
            _time.Advance(TimeSpan.FromSeconds(5));
            TaskCompletionSource<int> probe = new();
            Task<int> probing = pipeline.ExecuteAsync(_ => probe.Task).AsTask();
            if (kind == "half open") return (await RejectedAsync(pipeline))!;
            probe.SetResult(1);
            await probing;
            Rejection? rejected = null;
            for (int i = 0; i < 200 && rejected is null; i++) rejected = await RejectedAsync(pipeline);
            return rejected!;
        }

        _time.Advance(TimeSpan.FromSeconds(1.8));
        return (await RejectedAsync(pipeline))!;
    }

    private static async Task FailAsync(ResiliencePipeline pipeline)
    {
        await CallAsync(pipeline, 8, () => 1);
        await CallAsync(pipeline, 12, () => throw new IOException());
    }

    private static async Task CallAsync(ResiliencePipeline pipeline, int times, Func<int> call)
    {
        for (int i = 0; i < times; i++) _ = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(call()));
    }

    private static async Task<Rejection?> RejectedAsync(ResiliencePipeline pipeline) => (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Rejection;

    private async Task<Rejection> FromLimitAsync(string kind)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "orders", TimeProvider = _time }.AddConcurrencyLimit(new ConcurrencyLimitOptions
        {
            MaxConcurrent = 1,
            MaxQueued = kind == "full" ? 0 : 1,
            MaxWait = TimeSpan.FromSeconds(5),
        }).Build();
        _ = pipeline.ExecuteAsync(_ => new ValueTask<int>(new TaskCompletionSource<int>().Task)).AsTask();
        if (kind == "full") return (await RejectedAsync(pipeline))!;
        Task<Rejection?> waiting = RejectedAsync(pipeline);
        if (kind == "full queue") return (await RejectedAsync(pipeline))!;
        _time.Advance(TimeSpan.FromSeconds(5));
        return (await waiting)!;
    }
}
