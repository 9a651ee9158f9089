using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Pipelines;

/// <summary>What each policy does with each verdict: the specification, as a table. Each cell is checked on a call that completes at once and on one that
/// suspends.</summary>
public sealed class VerdictTableTests
{
    private readonly FakeTimeProvider _time = new();

    public static TheoryData<string, Verdict, string> Table()
    {
        TheoryData<string, Verdict, string> table = [];
        void Row(string policy, string success, string failure, string ignored, string rejected)
        {
            table.Add(policy, Verdict.Success, success);
            table.Add(policy, Verdict.Failure, failure);
            table.Add(policy, Verdict.Ignored, ignored);
            table.Add(policy, Verdict.Rejected, rejected);
        }

        //   policy              Success     Failure       Ignored     Rejected
        Row("retry", "return", "again", "return", "return");
        Row("retry, waiting", "return", "again", "return", "again");
        Row("breaker", "good", "bad, opens", "nothing", "nothing");
        Row("breaker, probe", "closes", "opens", "place back", "place back");
        Row("limit", "release", "release", "release", "release");
        Row("timeout", "return", "return", "return", "return");
        Row("hedging", "return", "next", "return", "return");
        Row("hedging, another route", "return", "next", "return", "next");
        Row("hedging, others run", "wins", "waits", "cancels", "waits");
        Row("fallback", "return", "substitute", "return", "substitute");
        Row("chaos, reply lost", "lost", "return", "return", "return");
        return table;
    }

    [Theory]
    [MemberData(nameof(Table))]
    public async Task Each_policy_does_with_each_verdict_what_the_table_says(string policy, Verdict verdict, string expected)
    {
        foreach (bool suspends in new[] { false, true })
        {
            string did = policy switch
            {
                "retry" or "retry, waiting" => await RetryDid(policy == "retry, waiting", verdict, suspends),
                "breaker" => await BreakerDid(verdict, suspends),
                "breaker, probe" => await ProbeDid(verdict, suspends),
                "limit" => await LimitDid(verdict, suspends),
                "timeout" => await TimeoutDid(verdict, suspends),
                "hedging" or "hedging, another route" => await HedgingDid(policy != "hedging", verdict, suspends),
                "hedging, others run" => await RaceDid(verdict, suspends),
                "chaos, reply lost" => await LostReplyDid(verdict, suspends),
                _ => await FallbackDid(verdict, suspends),
            };
            did.Should().Be(expected, "suspends: {0}", suspends);
        }
    }

    private sealed class No() : Rejection("inner")
    {
        public override string Reason => "no";

        public override TimeSpan? RetryAfter => TimeSpan.Zero;

        public override ResilienceException ToException() => new(this);
    }

    /// <summary>A policy at the bottom that answers with the verdict, whatever the delegate says.</summary>
    private sealed class Ends(Verdict verdict, bool suspends, Action? at = null) : SimplePolicy
    {
        public int Calls;

        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Calls++;
            at?.Invoke();
            if (suspends) await Task.Yield();
            return verdict switch
            {
                Verdict.Success => Outcome.Success((T)(object)1),
                Verdict.Failure => Outcome.Failure<T>(new IOException("failed")),
                Verdict.Ignored => Outcome.Failure<T>(new ArgumentException("bad request"), Verdict.Ignored),
                _ => Outcome.Rejected<T>(new No()),
            };
        }
    }

    private static ValueTask<int> Never(CancellationToken ct) => throw new InvalidOperationException("the delegate is not reached");

    private async Task<string> RetryDid(bool waits, Verdict verdict, bool suspends)
    {
        Ends ends = new(verdict, suspends);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.WaitForRejections) = (1, TimeSpan.Zero, waits)).AddPolicy(ends).Build();
        Outcome<int> outcome = await pipeline.TryExecuteAsync(Never);
        outcome.Verdict.Should().Be(verdict);
        return ends.Calls == 2 ? "again" : "return";
    }

    private async Task<string> BreakerDid(Verdict verdict, bool suspends)
    {
        CircuitBreaker breaker = new(new() { FailureRatio = 1, MinimumCalls = 1, BreakJitter = 0 }, _time);
        await new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).AddPolicy(new Ends(verdict, suspends)).Build().TryExecuteAsync(Never);
        CircuitSnapshot after = breaker.TakeSnapshot();
        return (after.State, after.Calls, after.Failures) switch
        {
            (CircuitState.Open, _, _) => "bad, opens",
            (CircuitState.Closed, 1, 0) => "good",
            (CircuitState.Closed, 0, 0) => "nothing",
            _ => after.ToString(),
        };
    }

    private async Task<string> ProbeDid(Verdict verdict, bool suspends)
    {
        CircuitBreaker breaker = new(new() { FailureRatio = 1, MinimumCalls = 1, BreakJitter = 0 }, _time);
        breaker.TryEnter(out CircuitPermit first);
        breaker.Exit(first, Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(5));
        await new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).AddPolicy(new Ends(verdict, suspends)).Build().TryExecuteAsync(Never);
        CircuitSnapshot after = breaker.TakeSnapshot();
        return after.State switch
        {
            CircuitState.Closed => "closes",
            CircuitState.Open => "opens",
            CircuitState.HalfOpen when after is { ProbesOut: 0, ProbesSucceeded: 0 } => "place back",
            _ => after.ToString(),
        };
    }

    private static async Task<string> LimitDid(Verdict verdict, bool suspends)
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1 });
        int during = 0;
        await new ResiliencePipelineBuilder().AddConcurrencyLimit(limit).AddPolicy(new Ends(verdict, suspends, () => during = limit.Running)).Build()
            .TryExecuteAsync(Never);
        return during == 1 && limit.Running == 0 ? "release" : $"{during} then {limit.Running}";
    }

    private static async Task<string> TimeoutDid(Verdict verdict, bool suspends)
    {
        Outcome<int> outcome = await new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMinutes(1)).AddPolicy(new Ends(verdict, suspends)).Build()
            .TryExecuteAsync(Never);
        return outcome.Verdict == verdict && outcome.Exception is not TimedOutException ? "return" : outcome.ToString();
    }

    private async Task<string> HedgingDid(bool hasRoute, Verdict verdict, bool suspends)
    {
        Ends ends = new(verdict, suspends);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .AddHedging(o =>
            {
                o.Delay = Timeout.InfiniteTimeSpan;
                if (hasRoute) o.Route = (_, _) => true;
            }).AddPolicy(ends).Build();
        (await pipeline.TryExecuteAsync(Never)).Verdict.Should().Be(verdict);
        return ends.Calls == 2 ? "next" : "return";
    }

    /// <summary>The first attempt runs until it is cancelled or released, the second ends with the verdict.</summary>
    private sealed class FirstHangs(Ends second) : SimplePolicy
    {
        private readonly TaskCompletionSource _second = new(), _release = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationToken Token;

        public Task SecondHasEnded => _second.Task;

        public void Release() => _release.TrySetResult();

        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            if (context.Attempt > 0)
            {
                Outcome<T> ended = await second.Bind(next).ExecuteAsync(context);
                _second.TrySetResult();
                return ended;
            }

            Token = context.CancellationToken;
            await using CancellationTokenRegistration cancelled = Token.Register(Release);
            await _release.Task;
            return Outcome.Success((T)(object)2);
        }
    }

    private async Task<string> RaceDid(Verdict verdict, bool suspends)
    {
        FirstHangs hangs = new(new(verdict, suspends));
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }.AddHedging(o => o.Delay = TimeSpan.Zero).AddPolicy(hangs).Build();
        Task<Outcome<int>> call = pipeline.TryExecuteAsync(Never).AsTask();
        await hangs.SecondHasEnded.WaitAsync(TimeSpan.FromSeconds(30));
        if (verdict is Verdict.Failure or Verdict.Rejected) hangs.Release();
        Outcome<int> outcome = await call.WaitAsync(TimeSpan.FromSeconds(30));
        return (outcome.Verdict, outcome.HasResult ? outcome.Value : 0, hangs.Token.IsCancellationRequested) switch
        {
            (Verdict.Success, 1, true) => "wins",
            (Verdict.Ignored, 0, true) => "cancels",
            (Verdict.Success, 2, false) => "waits",
            _ => outcome.ToString(),
        };
    }

    private static async Task<string> FallbackDid(Verdict verdict, bool suspends)
    {
        Outcome<int> outcome = await new ResiliencePipelineBuilder<int>().AddFallback(o => o.Value = 99).AddPolicy(new Ends(verdict, suspends)).Build()
            .TryExecuteAsync(Never);
        return outcome.TryGetValue(out int value) && value == 99 ? "substitute" : outcome.Verdict == verdict ? "return" : outcome.ToString();
    }

    private static async Task<string> LostReplyDid(Verdict verdict, bool suspends)
    {
        Outcome<int> outcome = await new ResiliencePipelineBuilder { EnvironmentName = "Development" }
            .AddChaos(o => (o.IsOn, o.Rates) = (true, new() { LostReply = 1 })).AddPolicy(new Ends(verdict, suspends)).Build().TryExecuteAsync(Never);
        return outcome is { Verdict: Verdict.Failure, Exception: ChaosInjectedException } ? "lost" : outcome.Verdict == verdict ? "return" : outcome.ToString();
    }

    [Fact]
    public async Task A_timeouts_own_expiry_is_a_failure()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(20)).Build();
        Outcome<int> outcome = await pipeline.TryExecuteAsync(async ct =>
        {
            await Task.Delay(Timeout.Infinite, ct);
            return 1;
        }).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Verdict.Should().Be(Verdict.Failure);
    }
}
