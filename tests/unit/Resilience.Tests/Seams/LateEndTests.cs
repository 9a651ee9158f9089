using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Seams;

/// <summary>What a call has left behind ends after it: a policy of the user's did not wait, a timeout gave up. Each link that it comes up through then
/// does its part: places and permits are back, and no link throws because the call has ended.</summary>
public sealed class LateEndTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public enum Around
    {
        /// <summary>A policy of the user's returns without waiting: a race against a delay.</summary>
        PolicyThatLeaves,

        /// <summary>A timeout that gives the delegate up.</summary>
        TimeoutThatGivesUp,
    }

    public static TheoryData<Around, string, string> Walk()
    {
        TheoryData<Around, string, string> walk = [];
        foreach (Around around in Enum.GetValues<Around>())
        {
            foreach (string inside in (string[])["", "retry", "hedging", "breaker", "breaker that asks", "fallback", "timeout", "limit", "user's policy"])
            {
                foreach (string end in (string[])["result", "error", "cancelled"]) walk.Add(around, inside, end);
            }
        }

        return walk;
    }

    private sealed class Leaving : SimplePolicy
    {
        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Task<Outcome<T>> running = next.ExecuteAsync(context).AsTask();
            return running.IsCompleted ? new(running) : new(Outcome.Failure<T>(new TimeoutException()));
        }
    }

    private sealed class Passing : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => await next.ExecuteAsync(context);
    }

    [Theory]
    [MemberData(nameof(Walk))]
    public async Task What_ends_after_its_call_gives_back_what_it_had(Around around, string inside, string end)
    {
        using CallbackErrors errors = new();
        FakeTimeProvider time = new();
        ConcurrencyLimit outer = new(new() { MaxConcurrent = 1 }), inner = new(new() { MaxConcurrent = 1 });
        ResiliencePipelineBuilder builder = new() { TimeProvider = time };
        if (around == Around.PolicyThatLeaves) builder.AddPolicy(new Leaving());
        else builder.AddTimeout(new TimeoutOptions { Timeout = TimeSpan.FromSeconds(1), AbandonAfter = TimeSpan.FromSeconds(1) });
        builder.AddConcurrencyLimit(outer);
        CircuitBreaker breaker = new(new() { MinimumCalls = 100, ShouldCount = inside == "breaker that asks" ? static _ => true : null });
        switch (inside)
        {
            case "retry": builder.AddRetry(o => o.MaxRetries = 0); break;
            case "hedging": builder.AddHedging(o => o.MaxAttempts = 1); break;
            case "breaker" or "breaker that asks": builder.AddCircuitBreaker(breaker); break;
            case "fallback": builder.AddFallback(new FallbackOptions<int> { Value = 9, ShouldHandle = static _ => false }); break;
            case "timeout": builder.AddTimeout(TimeSpan.FromDays(1)); break;
            case "limit": builder.AddConcurrencyLimit(1, 1); break;
            case "user's policy": builder.AddPolicy(new Passing()); break;
        }

        ResiliencePipeline pipeline = builder.AddConcurrencyLimit(inner).Build();
        TaskCompletionSource<int> delegates = new(), began = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Outcome<int>> call = pipeline.TryExecuteAsync<int>(_ =>
        {
            began.SetResult(0);
            return delegates.Task;
        }).AsTask();
        await began.Task.WaitAsync(Patience);
        using CancellationTokenSource patience = new(Patience);
        while (!call.IsCompleted && !patience.IsCancellationRequested)
        {
            time.Advance(TimeSpan.FromSeconds(1)); // the limit, then the time after which the delegate is given up
            await Task.Yield();
        }

        (await call.WaitAsync(Patience)).IsSuccess.Should().BeFalse();
        (outer.Running, inner.Running).Should().Be((1, 1), "the delegate is still running");

        if (end == "result") delegates.SetResult(1);
        else if (end == "error") delegates.SetException(new IOException());
        else delegates.SetCanceled(new(true));
        (await BackAsync(outer) && await BackAsync(inner)).Should().BeTrue("places of {0} and {1}", outer.Running, inner.Running);
        errors.Seen.Should().NotContain("link").And.NotContain(seen => seen.StartsWith("circuit breaker", StringComparison.Ordinal));
        (await pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1))).IsSuccess.Should().BeTrue();
    }

    private static async Task<bool> BackAsync(ConcurrencyLimit limit)
    {
        using CancellationTokenSource end = new(Patience);
        while (limit.Running > 0)
        {
            if (end.IsCancellationRequested) return false;
            await Task.Yield();
        }

        return true;
    }
}
