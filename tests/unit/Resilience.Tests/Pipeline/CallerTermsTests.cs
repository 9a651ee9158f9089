using Resilience.Tests.Allocation;

namespace Resilience.Tests.Pipeline;

/// <summary>What a caller can say that wraps each call of a protocol: whose fault a deadline is, that the context is not kept, and that no call around may repeat.</summary>
public sealed class CallerTermsTests
{
    /// <summary>The attempt hangs until the deadline of the call.</summary>
    [Theory]
    [InlineData(false, Verdict.Ignored, 0)]
    [InlineData(true, Verdict.Failure, 1)]
    public async Task A_deadline_that_counts_speaks_against_the_dependency(bool counts, Verdict verdict, int failures)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(60)).AddRetry().AddCircuitBreaker().Build();
        CallOptions options = new("hang") { Deadline = TimeSpan.FromMilliseconds(50), DeadlineCounts = counts };
        Outcome<int> outcome = await pipeline.TryExecuteAsync<int, int>(options, static async (context, _) =>
        {
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
            return 1;
        }, 0);
        outcome.Exception.Should().BeOfType<TimedOutException>();
        outcome.Verdict.Should().Be(verdict);
        pipeline.Find<CircuitBreaker>()!.TakeSnapshot().Failures.Should().Be(failures);
    }

    [Fact]
    public async Task A_deadline_that_has_passed_before_says_nothing_even_where_it_counts()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(60)).AddCircuitBreaker().Build();
        int begun = 0;
        Outcome<int> outcome = await pipeline.TryExecuteAsync(
            new CallOptions { Deadline = TimeSpan.Zero, DeadlineCounts = true }, (_, _) => ValueTask.FromResult(++begun), 0);
        (outcome.Verdict, begun).Should().Be((Verdict.Ignored, 0));
    }

    [Fact]
    public async Task An_attempt_that_forbids_all_retries_is_not_repeated_by_the_calls_around_it()
    {
        RetryOptions thrice = new() { MaxRetries = 2, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero };
        ResiliencePipeline inner = new ResiliencePipelineBuilder().AddRetry(thrice).Build(),
            bare = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(60)).Build();
        // it knows the calls inside by its token
        ResiliencePipeline outer = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(60)).AddRetry(thrice).Build();
        foreach (ResiliencePipeline pipeline in new[] { inner, bare })
        {
            int attempts = 0;
            Outcome<int> outcome = await outer.TryExecuteAsync(async token => await pipeline.ExecuteAsync<int, int>(new CallOptions("once"), (context, _) =>
            {
                attempts++;
                context.ForbidAllRetries("said so");
                throw new IOException("planned");
            }, 0, token));
            attempts.Should().Be(1);
            outcome.Exception.Should().BeOfType<IOException>();
        }
    }

    [Fact]
    public async Task What_was_forbidden_can_be_allowed_again()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddRetry(new RetryOptions { MaxRetries = 2, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero }).Build();
        int attempts = 0;
        await pipeline.TryExecuteAsync<int, int>(new CallOptions("again"), (context, _) =>
        {
            attempts++;
            context.ForbidAllRetries("before it is sent");
            context.AllowRetry();
            throw new IOException("planned");
        }, 0);
        attempts.Should().Be(3);
    }

    [Fact]
    public void A_call_whose_context_is_not_kept_allocates_nothing()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(60)).AddRetry().AddCircuitBreaker().Build();
        CallOptions kept = new("kept"), released = new("released") { ReleasesContext = true };
        Bytes(released).Should().Be(0);
        Bytes(kept).Should().BePositive("it may be kept, so it is not used again");

        double Bytes(CallOptions options) => Allocated.BytesPerRun(() =>
        {
            ValueTask<Outcome<int>> running = pipeline.TryExecuteAsync(options, static (context, _) => new ValueTask<int>(context.Attempt), 0);
            if (!running.IsCompletedSuccessfully || !running.Result.IsSuccess) throw new InvalidOperationException("The call has not ended well.");
        });
    }

    /// <summary>A callback of the user's has seen it: that one is not used again, whatever the caller says.</summary>
    [Fact]
    public async Task A_context_that_a_callback_has_seen_is_not_used_again()
    {
        List<ResilienceContext> seen = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(new RetryOptions
        {
            MaxRetries = 1,
            BaseDelay = TimeSpan.Zero,
            MaxDelay = TimeSpan.Zero,
            OnRetry = (attempt, _) => seen.Add(attempt.Context),
        }).Build();
        CallOptions options = new("seen") { ReleasesContext = true };
        for (int i = 0; i < 3; i++) await pipeline.TryExecuteAsync<int, int>(options, (_, _) => throw new IOException("planned"), 0);
        seen.Should().OnlyHaveUniqueItems();
        seen[0].Invoking(c => c.Attempt).Should().Throw<ObjectDisposedException>();
    }
}
