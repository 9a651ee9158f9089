using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Allocation;

/// <summary>Promises of no allocation on the happy path of a retry and in its engines.</summary>
public class RetryAllocationTests
{
    private const int Warmup = 1_000, Measured = 10_000;

    [Fact]
    public void First_attempt_success_allocates_nothing_for_int_results()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry().Build();
        AllocatedBy(() =>
        {
            ValueTask<int> call = pipeline.ExecuteAsync(static (state, _) => new ValueTask<int>(state), 42);
            if (!call.IsCompletedSuccessfully || call.Result != 42) throw new InvalidOperationException();
        }).Should().Be(0);
    }

    [Fact]
    public void Backoff_allocates_nothing()
    {
        Backoff exponential = Backoff.Exponential(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));
        Backoff decorrelated = Backoff.Decorrelated(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));
        AllocatedBy(() =>
        {
            exponential.Delay(3, Randomness.Shared);
            decorrelated.Delay(3, TimeSpan.FromSeconds(1), Randomness.Shared);
        }).Should().Be(0);
    }

    [Fact]
    public void Budget_allocates_nothing()
    {
        RetryBudget budget = new(new(), new FakeTimeProvider());
        AllocatedBy(() =>
        {
            budget.RecordCall();
            budget.TryWithdraw();
            _ = budget.Balance;
        }).Should().Be(0);
    }

    private static long AllocatedBy(Action action)
    {
        for (int i = 0; i < Warmup; i++) action();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Measured; i++) action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
