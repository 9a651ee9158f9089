using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Polly.Timeout;
using OfPolly = Polly.ResiliencePipelineBuilder;
using Ours = Resilience.ResiliencePipelineBuilder;

namespace Resilience.Migration.Tests;

/// <summary>Pipelines that cross the border to Polly, and back, with the packages of Polly themselves.</summary>
public sealed class BridgeTests
{
    private static readonly ResiliencePropertyKey<string> Given = new("given"), Made = new("made");

    private static Ours Retrying(int retries = 3) => new Ours()
        .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Jitter) = (retries, TimeSpan.Zero, BackoffJitter.None));

    [Fact]
    public async Task Ours_repeats_for_a_caller_of_Polly_and_its_context_is_the_callers()
    {
        Polly.ResiliencePipeline pipeline = Retrying().Build().AsPolly();
        Polly.ResilienceContext context = ResilienceContextPool.Shared.Get("charge");
        context.Properties.Set(Given, "g");
        int attempts = 0;
        string result = await pipeline.ExecuteAsync(async c =>
        {
            await Task.Yield();
            c.Properties.Set(Made, c.Properties.GetValue(Given, "") + ++attempts);
            return attempts < 3 ? throw new IOException() : c.OperationKey!;
        }, context);
        (result, attempts, context.Properties.GetValue(Made, "")).Should().Be(("charge", 3, "g3"));
        ResilienceContextPool.Shared.Return(context);
    }

    [Fact]
    public async Task The_operation_of_Polly_is_the_operation_of_ours()
    {
        List<string?> heard = [];
        Ours builder = Retrying().OnEvent(e => heard.Add(e.Operation));
        Polly.ResilienceContext context = ResilienceContextPool.Shared.Get("charge");
        int attempts = 0;
        await builder.Build().AsPolly().ExecuteAsync(_ => attempts++ == 0 ? throw new IOException() : ValueTask.CompletedTask, context);
        heard.Should().Contain("charge");
    }

    [Fact]
    public void A_synchronous_caller_stays_on_its_thread()
    {
        int attempts = 0, thread = Environment.CurrentManagedThreadId;
        Retrying().Build().AsPolly().Execute(() =>
        {
            Environment.CurrentManagedThreadId.Should().Be(thread);
            return ++attempts < 3 ? throw new IOException() : attempts;
        }).Should().Be(3);
    }

    [Fact]
    public async Task An_attempt_has_its_own_token_and_the_context_has_the_callers_again()
    {
        Polly.ResiliencePipeline pipeline = new Ours().AddTimeout(TimeSpan.FromMilliseconds(30)).Build().AsPolly();
        using CancellationTokenSource caller = new();
        Polly.ResilienceContext context = ResilienceContextPool.Shared.Get(caller.Token);
        CancellationToken seen = default;
        Func<Task> call = async () => await pipeline.ExecuteAsync(async c =>
        {
            seen = c.CancellationToken;
            await Task.Delay(Timeout.Infinite, c.CancellationToken);
        }, context);
        await call.Should().ThrowAsync<TimedOutException>();
        seen.Should().NotBe(caller.Token);
        context.CancellationToken.Should().Be(caller.Token);
        await caller.CancelAsync();
        await call.Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task A_circuit_is_shared_with_those_who_call_it_directly()
    {
        ResiliencePipeline ours = new Ours().AddCircuitBreaker(o => (o.FailureRatio, o.ConsecutiveFailures) = (null, 2)).Build();
        Func<Task> failing = async () => await ours.AsPolly().ExecuteAsync(_ => throw new IOException());
        for (int i = 0; i < 2; i++) await failing.Should().ThrowAsync<IOException>();
        await ((Func<Task>)(async () => await ours.ExecuteAsync(_ => ValueTask.CompletedTask))).Should().ThrowAsync<CircuitOpenException>();
        await ((Func<Task>)(async () => await ours.AsPolly().ExecuteAsync(_ => ValueTask.CompletedTask))).Should().ThrowAsync<CircuitOpenException>();
    }

    [Fact]
    public async Task Typed_pipelines_and_policies_of_v7_cross_too()
    {
        ResiliencePipeline<int> typed = new ResiliencePipelineBuilder<int>().Classify(r => r.OnResult<int>(n => n < 3 ? Verdict.Failure : null))
            .AddRetry(o => o.BaseDelay = TimeSpan.Zero).Build();
        int attempts = 0;
        (await typed.AsPolly().ExecuteAsync(_ => new ValueTask<int>(++attempts))).Should().Be(3);
        attempts = 0;
        (await typed.AsAsyncPolicy().ExecuteAsync(() => Task.FromResult(++attempts))).Should().Be(3);
        attempts = 0;
        IAsyncPolicy old = Retrying().Build().AsAsyncPolicy();
        (await old.ExecuteAsync(() => ++attempts < 3 ? throw new IOException() : Task.FromResult(attempts))).Should().Be(3);
        attempts = 0;
        typed.AsPolly().Execute(() => ++attempts).Should().Be(3);
    }

    [Fact]
    public void A_pipeline_that_hedges_does_not_cross()
    {
        Action cross = () => new Ours { Name = "h" }.AddPipeline(new Ours().AddHedging().Build()).Build().AsPolly();
        cross.Should().Throw<InvalidOperationException>().WithMessage("*'h' hedges*");
    }

    [Fact]
    public async Task The_border_costs_one_object()
    {
        Polly.ResiliencePipeline bare = new OfPolly().AddTimeout(TimeSpan.FromDays(1)).Build(), bridged = ResiliencePipeline.Empty.AsPolly();
        long Allocated(Polly.ResiliencePipeline pipeline)
        {
            for (int i = 0; i < 200; i++) _ = pipeline.ExecuteAsync(static _ => new ValueTask<int>(1)).Result;
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++) _ = pipeline.ExecuteAsync(static _ => new ValueTask<int>(1)).Result;
            return (GC.GetAllocatedBytesForCurrentThread() - before) / 1000;
        }

        (Allocated(bridged) - Allocated(bare)).Should().BeLessThanOrEqualTo(80);
        await Task.CompletedTask;
    }

    [Fact]
    public async Task A_pipeline_of_Polly_inside_of_ours_makes_attempts_of_the_call()
    {
        Polly.ResiliencePipeline theirs = new OfPolly().AddRetry(new RetryStrategyOptions { MaxRetryAttempts = 2, Delay = TimeSpan.Zero }).Build();
        ResiliencePipeline ours = new Ours().AddPolicy(theirs.AsPolicy()).Build();
        List<int> numbers = [];
        int result = await ours.ExecuteAsync(new CallOptions("a"), async (context, seen) =>
        {
            await Task.Yield();
            seen.Add(context.Attempt);
            return seen.Count < 3 ? throw new IOException() : seen.Count;
        }, numbers);
        result.Should().Be(3);
        numbers.Should().Equal(0, 1, 2);
        ours.Execute(() => 7).Should().Be(7);
    }

    [Fact]
    public async Task What_Polly_rejects_is_a_rejection_and_its_timeout_a_failure()
    {
        CircuitBreakerManualControl control = new(isIsolated: true);
        Polly.ResiliencePipeline open = new OfPolly().AddCircuitBreaker(new CircuitBreakerStrategyOptions { ManualControl = control }).Build();
        int attempts = 0;
        Outcome<int> rejected = await Retrying().AddPolicy(open.AsPolicy()).Build().TryExecuteAsync(_ => new ValueTask<int>(++attempts));
        (rejected.Verdict, attempts).Should().Be((Verdict.Rejected, 0));
        rejected.Exception.Should().BeOfType<IsolatedCircuitException>();

        Polly.ResiliencePipeline late = new OfPolly().AddTimeout(TimeSpan.FromMilliseconds(30)).Build();
        Outcome<int> failed = await Retrying(1).AddPolicy(late.AsPolicy()).Build().TryExecuteAsync(async token =>
        {
            attempts++;
            await Task.Delay(Timeout.Infinite, token);
            return 1;
        });
        (failed.Verdict, attempts).Should().Be((Verdict.Failure, 2));
        failed.Exception.Should().BeOfType<TimeoutRejectedException>();
    }

    [Fact]
    public async Task What_comes_out_of_Polly_unchanged_keeps_its_verdict()
    {
        Ours builder = new Ours().Classify(r => r.On<IOException>(Verdict.Ignored).OnResult<int>(n => n == 7 ? Verdict.Failure : null));
        ResiliencePipeline ours = builder.AddPolicy(Polly.ResiliencePipeline.Empty.AsPolicy()).Build();
        (await ours.TryExecuteAsync<int>(_ => throw new IOException())).Verdict.Should().Be(Verdict.Ignored);
        (await ours.TryExecuteAsync(_ => new ValueTask<int>(7))).Verdict.Should().Be(Verdict.Failure);
        (await ours.TryExecuteAsync(_ => new ValueTask<int>(8))).Verdict.Should().Be(Verdict.Success);
    }

    [Fact]
    public async Task A_policy_of_v7_inside_of_ours()
    {
        int attempts = 0;
        ResiliencePipeline ours = new Ours().AddPolicy(Policy.Handle<IOException>().RetryAsync(2).AsPolicy()).Build();
        (await ours.ExecuteAsync(_ => ++attempts < 3 ? throw new IOException() : new ValueTask<int>(attempts))).Should().Be(3);
        await ((Func<Task>)(async () => await ours.ExecuteAsync(_ => throw new ArgumentException()))).Should().ThrowAsync<ArgumentException>();
    }

    [Fact]
    public async Task Attempts_of_Polly_that_run_side_by_side_do_not_share_a_context()
    {
        Polly.ResiliencePipeline<int> hedged = new Polly.ResiliencePipelineBuilder<int>()
            .AddHedging(new Polly.Hedging.HedgingStrategyOptions<int> { MaxHedgedAttempts = 1, Delay = TimeSpan.Zero }).Build();
        ResiliencePipeline ours = new Ours().AddPolicy(hedged.AsPolicy()).Build();
        TaskCompletionSource both = new();
        int running = 0;
        List<int> numbers = [];
        int result = await ours.ExecuteAsync(new CallOptions("a"), async (context, seen) =>
        {
            lock (seen) seen.Add(context.Attempt);
            if (Interlocked.Increment(ref running) == 2) both.SetResult();
            await both.Task.WaitAsync(TimeSpan.FromMinutes(1));
            return context.Attempt;
        }, numbers);
        numbers.Should().BeEquivalentTo([0, 1]);
        result.Should().BeOneOf(0, 1);
    }

    [Fact]
    public void Null_is_no_argument()
    {
        foreach (Action call in new Action[]
        {
            () => ((ResiliencePipeline)null!).AsPolly(), () => ((ResiliencePipeline<int>)null!).AsPolly(), () => ((Polly.ResiliencePipeline)null!).AsPolicy(),
            () => ((IAsyncPolicy)null!).AsPolicy(), () => ((ResiliencePipeline)null!).AsAsyncPolicy(), () => ((Polly.ResiliencePipeline<int>)null!).AsPolicy(),
        }) call.Should().Throw<ArgumentNullException>();
    }
}
