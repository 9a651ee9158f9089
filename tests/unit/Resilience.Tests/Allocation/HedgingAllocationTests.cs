namespace Resilience.Tests.Allocation;

/// <summary>What hedging costs a call whose first attempt succeeds at once: nothing. No copy of the context, timer, task or source.</summary>
public sealed class HedgingAllocationTests
{
    [Fact]
    public void First_attempt_success_allocates_nothing()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddHedging().Build();
        Allocated.BytesPerRun(() => Run(pipeline)).Should().Be(0);

        ResiliencePipeline whole = new ResiliencePipelineBuilder()
            .AddTimeout(TimeSpan.FromMinutes(1)).AddRetry().AddHedging().AddCircuitBreaker().AddTimeout(TimeSpan.FromSeconds(30)).Build();
        Allocated.BytesPerRun(() => Run(whole)).Should().Be(0);
    }

    private static void Run(ResiliencePipeline pipeline)
    {
        ValueTask<int> call = pipeline.ExecuteAsync(static (state, _) => new ValueTask<int>(state), 42);
        if (!call.IsCompletedSuccessfully || call.Result != 42) throw new InvalidOperationException();
    }
}
