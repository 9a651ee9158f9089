using System.Runtime.CompilerServices;

namespace Resilience.Tests.Seams;

/// <summary>Nothing of ours lives in objects that others own: not a mark on their exceptions, not their pipelines in our pools.</summary>
public sealed class OwnershipTests
{
    private static readonly IOException Cached = new("cached");

    private static ResiliencePipeline Retrying(Action<RetryOptions>? more = null) => new ResiliencePipelineBuilder().AddRetry(o =>
    {
        (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 2);
        more?.Invoke(o);
    }).Build();

    private static RetryBudget Spent() => new(new() { Ratio = 0, MinRetriesPerSecond = 0 });

    private static async Task<int> AttemptsOfAsync(ResiliencePipeline pipeline, Func<Task> attempt)
    {
        int attempts = 0;
        await pipeline.TryExecuteAsync<int>(async _ =>
        {
            attempts++;
            await attempt();
            return 1;
        });
        return attempts;
    }

    private static Task ThrowCached() => throw Cached;

    [Fact]
    public async Task A_cached_exception_that_one_call_gave_up_on_is_repeated_for_others()
    {
        (await AttemptsOfAsync(Retrying(o => o.Budget = Spent()), ThrowCached)).Should().Be(1);
        (await AttemptsOfAsync(Retrying(), ThrowCached)).Should().Be(3);
    }

    [Fact]
    public async Task A_call_that_is_under_way_does_not_see_what_another_gave_up_on()
    {
        TaskCompletionSource end = new();
        Task<int> slow = AttemptsOfAsync(Retrying(), () => end.Task);
        (await AttemptsOfAsync(Retrying(o => o.Budget = Spent()), ThrowCached)).Should().Be(1);
        end.SetException(Cached);
        (await slow).Should().Be(3);
    }

    [Fact]
    public async Task The_call_around_believes_the_call_inside_and_no_other_call_does()
    {
        ResiliencePipeline inner = Retrying(o => o.Budget = Spent()), outer = Retrying();
        (await AttemptsOfAsync(outer, () => inner.ExecuteAsync(_ => ThrowCached()).AsTask())).Should().Be(1);
        (await AttemptsOfAsync(outer, ThrowCached)).Should().Be(3);
    }

    [Fact]
    public async Task A_call_around_believes_also_an_exception_that_wraps_the_one_given_up_on()
    {
        ResiliencePipeline inner = Retrying(o => o.Budget = Spent());
        (await AttemptsOfAsync(Retrying(), async () =>
        {
            try
            {
                await inner.ExecuteAsync(async _ =>
                {
                    await Task.Yield();
                    throw Cached;
                });
            }
            catch (IOException failed)
            {
                throw new InvalidDataException("wrapped", failed);
            }
        })).Should().Be(1);
    }

    [Fact]
    public async Task A_call_around_two_others_believes_the_innermost()
    {
        ResiliencePipeline inner = Retrying(o => o.Budget = Spent()), middle = Retrying(), outer = Retrying();
        (await AttemptsOfAsync(outer, () => middle.ExecuteAsync(token => inner.ExecuteAsync(_ => ThrowCached(), token)).AsTask())).Should().Be(1);
    }

    [Fact]
    public async Task What_was_given_up_on_in_one_attempt_says_nothing_of_the_next()
    {
        ResiliencePipeline inner = Retrying(o => o.Budget = Spent());
        int attempt = 0;
        (await AttemptsOfAsync(Retrying(), async () =>
        {
            if (attempt++ > 0) throw Cached;
            await inner.TryExecuteAsync<int>(_ => throw Cached);
            throw new IOException("another");
        })).Should().Be(3);
    }

    // ---- spare calls

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_spare_call_keeps_nothing_of_a_pipeline_alive(bool fails)
    {
        List<WeakReference> gone = CallOnce(fails);
        for (int i = 0; i < 10 && gone.Any(w => w.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        gone.Select(w => w.IsAlive).Should().AllBeEquivalentTo(false);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static List<WeakReference> CallOnce(bool fails)
    {
        ManualTime time = new();
        object state = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(o => o.MaxRetries = 0).AddCircuitBreaker().AddConcurrencyLimit(3).Build();
        IOException error = new();
        Func<object, CancellationToken, ValueTask<Guid>> callback = (_, _) => fails ? throw error : new(Guid.Empty);
        pipeline.TryExecuteAsync(callback, state).AsTask().GetAwaiter().GetResult();
        return [new(time), new(state), new(pipeline), new(pipeline.Find<CircuitBreaker>()), new(callback), new(error)];
    }

    // ---- results that no caller receives

    private sealed class OnlyAsync : IAsyncDisposable
    {
        public int Disposed { get; private set; }

        public async ValueTask DisposeAsync()
        {
            await Task.Yield();
            Disposed++;
            _done.TrySetResult();
        }

        private readonly TaskCompletionSource _done = new();

        public Task Done => _done.Task;
    }

    private sealed class Plain : IDisposable
    {
        public int Disposed { get; private set; }

        public void Dispose() => Disposed++;
    }

    private static ResiliencePipelineBuilder Failing<T>() => new() { Classifier = OutcomeClassifier.Default.OnResult<T>(_ => Verdict.Failure) };

    [Fact]
    public async Task A_result_that_can_only_be_disposed_of_asynchronously_is_disposed_of()
    {
        List<OnlyAsync> made = [];
        await Failing<OnlyAsync>().AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 2)).Build().TryExecuteAsync(_ =>
        {
            made.Add(new());
            return new ValueTask<OnlyAsync>(made[^1]);
        });
        made.Should().HaveCount(3);
        await Task.WhenAll(made[0].Done, made[1].Done).WaitAsync(TimeSpan.FromSeconds(30));
        made.Select(m => m.Disposed).Should().Equal(1, 1, 0);
    }

    [Theory]
    [InlineData("retry")]
    [InlineData("hedging")]
    [InlineData("fallback")]
    public async Task An_object_that_every_attempt_returns_is_not_disposed_of_and_then_returned(string policy)
    {
        Plain same = new();
        ResiliencePipelineBuilder builder = Failing<Plain>();
        if (policy == "retry") builder.AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 2));
        if (policy == "hedging") builder.AddHedging(o => (o.MaxAttempts, o.Delay) = (3, TimeSpan.Zero));
        ResiliencePipeline pipeline = builder.Build();
        Outcome<Plain> outcome = policy == "fallback"
            ? await new ResiliencePipelineBuilder<Plain> { Classifier = builder.Classifier }.AddFallback(o => o.Value = same).Build()
                .TryExecuteAsync(_ => new ValueTask<Plain>(same))
            : await pipeline.TryExecuteAsync(_ => new ValueTask<Plain>(same));
        outcome.Value.Should().BeSameAs(same);
        same.Disposed.Should().Be(0);
    }

    [Fact]
    public async Task Results_of_former_attempts_are_disposed_of_once_also_when_the_wait_is_cancelled()
    {
        using CancellationTokenSource source = new();
        Plain only = new();
        Outcome<Plain> outcome = await Failing<Plain>().AddRetry(o =>
        {
            o.BaseDelay = TimeSpan.FromHours(1);
            o.OnRetry = (_, _) => source.Cancel();
        }).Build().TryExecuteAsync(_ => new ValueTask<Plain>(only), source.Token);
        outcome.Verdict.Should().Be(Verdict.Ignored);
        only.Disposed.Should().Be(1);
    }
}
