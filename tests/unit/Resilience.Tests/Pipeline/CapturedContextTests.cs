using System.Collections.Concurrent;

namespace Resilience.Tests.Pipeline;

/// <summary>Callers that must not leave their thread: a window's, a grain's.</summary>
public sealed class CapturedContextTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly CallOptions There = new("call") { ContinueOnCapturedContext = true };

    private static ResiliencePipeline Retrying(TimeProvider? time = null) => new ResiliencePipelineBuilder { TimeProvider = time ?? new InstantTime() }
        .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Budget) = (2, TimeSpan.FromSeconds(1), RetryBudget.Unlimited)).Build();

    /// <summary>One thread that runs what is posted to it, as that of a window.</summary>
    private sealed class OneThread : SynchronizationContext, IDisposable
    {
        private readonly BlockingCollection<(SendOrPostCallback Run, object? State)> _posted = [];
        private readonly Thread _thread;

        internal OneThread()
        {
            _thread = new(Loop) { IsBackground = true };
            _thread.Start();
        }

        internal int Id => _thread.ManagedThreadId;

        public override void Post(SendOrPostCallback d, object? state) => _posted.Add((d, state));

        internal Task<T> RunAsync<T>(Func<Task<T>> run)
        {
            TaskCompletionSource<Task<T>> begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Post(_ => begun.SetResult(run()), null);
            return begun.Task.Unwrap().WaitAsync(Patience);
        }

        private void Loop()
        {
            SetSynchronizationContext(this);
            foreach ((SendOrPostCallback run, object? state) in _posted.GetConsumingEnumerable()) run(state);
        }

        public void Dispose() => _posted.CompleteAdding();
    }

    private static async Task<int[]> ThreadsAsync(OneThread window, CallOptions options, bool hasResult)
    {
        List<int> threads = [];
        HeldTimers time = new(); // fired from here: a wait that were over at once would not be waited for, and not leave the window
        ResiliencePipeline pipeline = Retrying(time);
        Task<int> call = window.RunAsync(async () =>
        {
            if (hasResult) await pipeline.ExecuteAsync(options, (_, _) => new ValueTask<int>(Attempt()), 0);
            else await pipeline.ExecuteAsync(options, (_, _) => { Attempt(); return default(ValueTask); }, 0);
            return 0;
        });
        await window.RunAsync(() => Task.FromResult(0)); // the window has begun the call, and is free again
        while (!call.IsCompleted)
        {
            SpinWait.SpinUntil(() => time.IsSet || call.IsCompleted, Patience).Should().BeTrue("the call waits for its next attempt, or ends");
            time.FireAll();
        }

        await call;
        return [.. threads];

        int Attempt()
        {
            threads.Add(Environment.CurrentManagedThreadId);
            return threads.Count < 3 ? throw new IOException() : threads.Count;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_attempt_runs_on_the_thread_of_the_window(bool hasResult)
    {
        using OneThread window = new();
        (await ThreadsAsync(window, There, hasResult)).Should().Equal(window.Id, window.Id, window.Id);
        int[] otherwise = await ThreadsAsync(window, new("call"), hasResult);
        otherwise[0].Should().Be(window.Id);
        otherwise[1..].Should().NotContain(window.Id, "that is what the option is for");
    }

    [Fact]
    public async Task Every_attempt_runs_in_the_turn_of_a_grain()
    {
        TaskScheduler grain = new ConcurrentExclusiveSchedulerPair().ExclusiveScheduler;
        ResiliencePipeline pipeline = Retrying();
        List<bool> isThere = [];
        int result = await Task.Factory.StartNew(
            () => pipeline.ExecuteAsync(There, (_, _) =>
            {
                isThere.Add(TaskScheduler.Current == grain);
                return isThere.Count < 3 ? throw new IOException() : new ValueTask<int>(isThere.Count);
            }, 0).AsTask(),
            CancellationToken.None, TaskCreationOptions.None, grain).Unwrap().WaitAsync(Patience);
        result.Should().Be(3);
        isThere.Should().Equal(true, true, true);
    }

    [Fact]
    public async Task Outcomes_are_as_ever()
    {
        using OneThread window = new();
        ResiliencePipeline pipeline = Retrying();
        Outcome<int> failed = await window.RunAsync(() => pipeline.TryExecuteAsync<int, int>(There, (_, _) => throw new IOException("always"), 0).AsTask());
        failed.Exception.Should().BeOfType<IOException>();
        Outcome<int> late = await window.RunAsync(() => pipeline.TryExecuteAsync(There, async (context, _) =>
        {
            await Task.Yield();
            return context.Attempt < 1 ? throw new IOException() : 5;
        }, 0).AsTask());
        late.Value.Should().Be(5);
        (await pipeline.ExecuteAsync(There, static (_, s) => new ValueTask<int>(s), 4)).Should().Be(4, "a caller on the thread pool has no such place");
    }

    /// <summary>The window is closed, or busy: what was posted to it does not run.</summary>
    [Fact]
    public async Task A_context_that_runs_nothing_any_more_ends_with_the_token()
    {
        using OneThread window = new();
        using CancellationTokenSource caller = new();
        using ManualResetEventSlim blocks = new();
        TaskCompletionSource retried = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = new InstantTime() }
            .AddRetry(o => (o.MaxRetries, o.OnRetry) = (2, (_, _) => retried.SetResult())).Build();
        TaskCompletionSource<Task<Outcome<int>>> begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        window.Post(_ =>
        {
            begun.SetResult(pipeline.TryExecuteAsync<int, int>(There, (_, _) => throw new IOException(), 0, caller.Token).AsTask());
            blocks.Wait();
        }, null);
        Task<Outcome<int>> call = await begun.Task.WaitAsync(Patience);
        await retried.Task.WaitAsync(Patience);
        await caller.CancelAsync();
        try
        {
            (await call.WaitAsync(Patience)).Exception.Should().BeAssignableTo<OperationCanceledException>();
        }
        finally
        {
            blocks.Set();
        }
    }
}
