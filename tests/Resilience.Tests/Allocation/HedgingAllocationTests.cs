namespace Resilience.Tests.Allocation;

/// <summary>What hedging costs a call whose first attempt succeeds at once: its copy of the context, and no timer, task or source.</summary>
public sealed class HedgingAllocationTests
{
    private const double CopyOfTheContext = 152; // one object with some fifteen fields

    [Fact]
    public void First_attempt_success_allocates_the_copy_of_the_context_only()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddHedging().Build();
        double bytes = Allocated.BytesPerRun(() => Run(pipeline));
        bytes.Should().BeInRange(1, CopyOfTheContext);

        ResiliencePipeline whole = new ResiliencePipelineBuilder()
            .AddTimeout(TimeSpan.FromMinutes(1)).AddRetry().AddHedging().AddCircuitBreaker().AddTimeout(TimeSpan.FromSeconds(30)).Build();
        Allocated.BytesPerRun(() => Run(whole)).Should().BeInRange(1, CopyOfTheContext);
    }

    private static void Run(ResiliencePipeline pipeline)
    {
        ValueTask<int> call = pipeline.ExecuteAsync(static (state, _) => new ValueTask<int>(state), 42);
        if (!call.IsCompletedSuccessfully || call.Result != 42) throw new InvalidOperationException();
    }
}
