namespace Resilience.Tests.Allocation;

/// <summary>Each policy, and the whole standard chain, on the happy path.</summary>
public sealed class PolicyAllocationTests
{
    private static readonly Func<CancellationToken, ValueTask<int>> Number = static _ => new(42);

    private static void AllocatesNothing(ResiliencePipeline pipeline)
    {
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(Number).GetAwaiter().GetResult()).Should().Be(0);
        using CancellationTokenSource caller = new();
        CancellationToken token = caller.Token;
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(Number, token).GetAwaiter().GetResult()).Should().Be(0);
    }

    [Fact]
    public void A_timeout_allocates_nothing() => AllocatesNothing(new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(30)).Build());

    [Fact]
    public void A_short_timeout_allocates_nothing() => AllocatesNothing(new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(100)).Build());

    [Fact]
    public void A_concurrency_limit_allocates_nothing() => AllocatesNothing(new ResiliencePipelineBuilder().AddConcurrencyLimit(10).Build());

    [Fact]
    public void A_fallback_value_allocates_nothing() =>
        AllocatesNothing(new ResiliencePipelineBuilder().AddFallback(new FallbackOptions<int> { Value = 1 }).Build());

    [Fact]
    public void Chaos_that_is_off_allocates_nothing_nor_does_chaos_that_leaves_a_call_alone()
    {
        AllocatesNothing(new ResiliencePipelineBuilder { EnvironmentName = "Development" }.AddChaos(o => o.Rates = new() { Fault = 1 }).Build());
        AllocatesNothing(new ResiliencePipelineBuilder { EnvironmentName = "Development" }
            .AddChaos(o => (o.IsOn, o.Rates, o.Filter) = (true, new() { Fault = 1 }, static _ => false)).Build());
    }

    [Fact]
    public void The_standard_chain_allocates_nothing() => AllocatesNothing(new ResiliencePipelineBuilder()
        .AddFallback(new FallbackOptions<int> { Value = 1 })
        .AddTimeout(TimeSpan.FromSeconds(30)).AddRetry().AddCircuitBreaker().AddConcurrencyLimit(10).AddTimeout(TimeSpan.FromSeconds(2)).Build());

    [Fact]
    public void A_rejection_for_want_of_a_place_allocates_nothing()
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1 });
        limit.TryEnter();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddConcurrencyLimit(limit).Build();
        Allocated.BytesPerRun(() => pipeline.TryExecuteAsync(Number).GetAwaiter().GetResult()).Should().Be(0);
    }
}
