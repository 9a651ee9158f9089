using Polly;
using Polly.CircuitBreaker;
using Polly.Hedging;
using Polly.Retry;
using Polly.Timeout;

namespace Resilience.Benchmarks;

/// <summary>The pipelines that are compared, made alike: the same policies, the same numbers.</summary>
internal static class Ours
{
    internal static ResiliencePipeline Empty { get; } = new ResiliencePipelineBuilder().Build();

    internal static ResiliencePipeline Retry() => new ResiliencePipelineBuilder().AddRetry(o => (o.MaxRetries, o.BaseDelay) = (3, TimeSpan.Zero)).Build();

    internal static ResiliencePipeline Breaker() => new ResiliencePipelineBuilder().AddCircuitBreaker(BreakerOptions()).Build();

    internal static CircuitBreakerOptions BreakerOptions() => new()
    {
        FailureRatio = 0.5,
        MinimumCalls = 100,
        SamplingDuration = TimeSpan.FromSeconds(30),
        BreakDuration = TimeSpan.FromSeconds(5),
    };

    internal static ResiliencePipeline Timeout() => new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(30)).Build();

    internal static ResiliencePipeline Hedging() => new ResiliencePipelineBuilder().AddHedging(o => o.Delay = TimeSpan.FromSeconds(2)).Build();

    internal static ResiliencePipeline Standard() => new ResiliencePipelineBuilder()
        .AddTimeout(TimeSpan.FromSeconds(30)).AddRetry(o => (o.MaxRetries, o.BaseDelay) = (3, TimeSpan.Zero)).AddCircuitBreaker(BreakerOptions())
            .AddTimeout(TimeSpan.FromSeconds(2)).Build();

    internal static ResiliencePipeline Open()
    {
        CircuitBreaker breaker = new(BreakerOptions());
        breaker.Isolate();
        return new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build();
    }
}

/// <summary>The same by Polly.</summary>
internal static class Theirs
{
    internal static Polly.ResiliencePipeline Empty { get; } = Polly.ResiliencePipeline.Empty;

    internal static RetryStrategyOptions RetryOptions() =>
        new() { MaxRetryAttempts = 3, Delay = TimeSpan.Zero, BackoffType = DelayBackoffType.Exponential, UseJitter = true };

    internal static CircuitBreakerStrategyOptions BreakerOptions() => new()
    {
        FailureRatio = 0.5,
        MinimumThroughput = 100,
        SamplingDuration = TimeSpan.FromSeconds(30),
        BreakDuration = TimeSpan.FromSeconds(5),
    };

    internal static Polly.ResiliencePipeline Retry() => new Polly.ResiliencePipelineBuilder().AddRetry(RetryOptions()).Build();

    internal static Polly.ResiliencePipeline Breaker() => new Polly.ResiliencePipelineBuilder().AddCircuitBreaker(BreakerOptions()).Build();

    internal static Polly.ResiliencePipeline Timeout() => new Polly.ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(30)).Build();

    internal static Polly.ResiliencePipeline<int> Hedging() => new Polly.ResiliencePipelineBuilder<int>()
        .AddHedging(new HedgingStrategyOptions<int> { MaxHedgedAttempts = 1, Delay = TimeSpan.FromSeconds(2) }).Build();

    internal static Polly.ResiliencePipeline Standard() => new Polly.ResiliencePipelineBuilder()
        .AddTimeout(TimeSpan.FromSeconds(30)).AddRetry(RetryOptions()).AddCircuitBreaker(BreakerOptions()).AddTimeout(TimeSpan.FromSeconds(2)).Build();

    internal static async Task<Polly.ResiliencePipeline> OpenAsync()
    {
        CircuitBreakerManualControl control = new();
        CircuitBreakerStrategyOptions options = BreakerOptions();
        options.ManualControl = control;
        Polly.ResiliencePipeline pipeline = new Polly.ResiliencePipelineBuilder().AddCircuitBreaker(options).Build();
        await control.IsolateAsync();
        return pipeline;
    }
}
