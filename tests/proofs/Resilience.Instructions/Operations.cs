using Resilience.Overload;
using Resilience.Tests;

namespace Resilience.Instructions;

/// <summary>The hot paths, each as a loop without anything else in it. Time stands still, so no two runs take different ways.</summary>
internal static class Operations
{
    internal static readonly IReadOnlyDictionary<string, Func<Action<int>>> All = new SortedDictionary<string, Func<Action<int>>>(StringComparer.Ordinal)
    {
        ["backoff"] = Backoff,
        ["breaker-enter-exit-ratio"] = () => EnterExit(new() { FailureRatio = 0.5 }),
        ["breaker-enter-exit-run"] = () => EnterExit(new() { FailureRatio = null, ConsecutiveFailures = 5 }),
        ["breaker-rejected"] = Rejected,
        ["budget-call"] = BudgetCall,
        ["budget-withdraw"] = BudgetWithdraw,
        ["limit-enter-leave"] = Limit,
        ["pipeline-breaker"] = () => Execute(b => b.AddCircuitBreaker()),
        ["pipeline-breaker-in-request"] = () => InRequest(Execute(b => b.AddCircuitBreaker())),
        ["pipeline-empty"] = () => Execute(b => b),
        ["pipeline-retry-breaker"] = () => Execute(b => b.AddRetry().AddCircuitBreaker()),
        ["slower"] = Slower,
        ["suspended-empty"] = () => Suspend(b => b),
        ["suspended-limit-retry-breaker"] = () => Suspend(b => b.AddConcurrencyLimit(10).AddRetry().AddCircuitBreaker()),
    };

    private static Action<int> Backoff()
    {
        Resilience.Backoff backoff = Resilience.Backoff.Exponential(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));
        Randomness random = Randomness.Seeded(1);
        return times =>
        {
            for (int i = 0; i < times; i++) backoff.Delay(i & 7, random);
        };
    }

    private static Action<int> EnterExit(CircuitBreakerOptions options)
    {
        CircuitBreaker breaker = new(options, new StillTime());
        return times =>
        {
            for (int i = 0; i < times; i++)
            {
                breaker.TryEnter(out CircuitPermit permit);
                breaker.Exit(permit, Verdict.Success);
            }
        };
    }

    private static Action<int> Rejected()
    {
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 1 }, new StillTime());
        breaker.TryEnter(out CircuitPermit permit);
        breaker.Exit(permit, Verdict.Failure);
        return times =>
        {
            for (int i = 0; i < times; i++) breaker.TryEnter(out _);
        };
    }

    private static Action<int> BudgetCall()
    {
        RetryBudget budget = new(null, new StillTime());
        return times =>
        {
            for (int i = 0; i < times; i++) budget.RecordCall();
        };
    }

    private static Action<int> BudgetWithdraw()
    {
        RetryBudget budget = new(new() { Ratio = 1 }, new StillTime());
        return times =>
        {
            for (int i = 0; i < times; i++)
            {
                budget.RecordCall();
                budget.TryWithdraw();
            }
        };
    }

    private static Action<int> Limit()
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 10 }, new StillTime());
        return times =>
        {
            for (int i = 0; i < times; i++)
            {
                limit.TryEnter();
                limit.Release();
            }
        };
    }

    private static Action<int> Execute(Func<ResiliencePipelineBuilder, ResiliencePipelineBuilder> add)
    {
        ResiliencePipeline pipeline = add(new() { TimeProvider = new StillTime(), Randomness = Randomness.Seeded(1) }).Build();
        return times =>
        {
            for (int i = 0; i < times; i++) pipeline.ExecuteAsync(static (n, _) => new ValueTask<int>(n), i).GetAwaiter().GetResult();
        };
    }

    /// <summary>The same on behalf of a request with a deadline, on another clock. In a program where no request was ever begun a call pays a branch.</summary>
    private static Action<int> InRequest(Action<int> operation) => times =>
    {
        using RequestScope scope = RequestContext.Begin(new() { Timeout = TimeSpan.FromSeconds(1), TimeProvider = new StillTime() });
        operation(times);
    };

    /// <summary>The delegate has not ended when it returns, and ends on the same thread: all that a suspension costs, and nothing of the pool's.</summary>
    private static Action<int> Suspend(Func<ResiliencePipelineBuilder, ResiliencePipelineBuilder> add)
    {
        ResiliencePipeline pipeline = add(new() { TimeProvider = new StillTime(), Randomness = Randomness.Seeded(1) }).Build();
        Later later = new();
        return times =>
        {
            for (int i = 0; i < times; i++)
            {
                ValueTask<int> running = pipeline.ExecuteAsync(static (l, _) => l.Begin(), later);
                later.End(i);
                running.GetAwaiter().GetResult();
            }
        };
    }

    /// <summary>As <c>budget-call</c> with a little work more: the gate must notice.</summary>
    private static Action<int> Slower()
    {
        RetryBudget budget = new(null, new StillTime());
        int more = 0;
        return times =>
        {
            for (int i = 0; i < times; i++)
            {
                budget.RecordCall();
                for (int j = 0; j < 4; j++) Volatile.Write(ref more, more + 1);
            }
        };
    }

    private sealed class StillTime : TimeProvider
    {
        public override long GetTimestamp() => 1_000_000;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    }
}
