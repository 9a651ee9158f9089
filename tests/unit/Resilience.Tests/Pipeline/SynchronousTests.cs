using System.Reflection;

namespace Resilience.Tests.Pipelines;

/// <summary>Calls made by <c>Execute</c> and <c>TryExecute</c>: on one thread, with the same outcomes as those that are awaited, and without a thread of the pool.</summary>
public sealed class SynchronousTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public void Every_kind_of_delegate_runs_on_the_callers_thread_and_returns()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMinutes(1)).AddRetry().AddCircuitBreaker().Build();
        CancellationToken token = new CancellationTokenSource().Token;
        int here = Environment.CurrentManagedThreadId, ran = 0;
        int Here(int value) => Environment.CurrentManagedThreadId == here ? value : -1;

        pipeline.Execute(_ => Here(1), token).Should().Be(1);
        pipeline.Execute(() => Here(2)).Should().Be(2);
        pipeline.Execute(static (here, _) => here(3), Here, token).Should().Be(3);
        pipeline.Execute(new("op"), static (context, here) => context.IsSynchronous && context.Operation == "op" ? here(4) : 0, Here, token).Should().Be(4);
        pipeline.Execute(_ => { ran += Here(1); }, token);
        pipeline.Execute(() => { ran += Here(1); });
        pipeline.Execute(static (add, _) => add(), () => { ran += Here(1); }, token);
        ran.Should().Be(3);
        pipeline.TryExecute(_ => Here(5), token).Value.Should().Be(5);
        pipeline.TryExecute(static (here, _) => here(6), Here, token).Value.Should().Be(6);
        pipeline.TryExecute(new("op"), static (_, here) => here(7), Here, token).Value.Should().Be(7);

        ResiliencePipeline<int> typed = new ResiliencePipelineBuilder<int>().AddRetry().Build();
        typed.Execute(_ => Here(8), token).Should().Be(8);
        typed.Execute(() => Here(9)).Should().Be(9);
        typed.Execute(static (here, _) => here(10), Here, token).Should().Be(10);
        typed.Execute(new("op"), static (_, here) => here(11), Here, token).Should().Be(11);
        typed.TryExecute(_ => Here(12), token).Value.Should().Be(12);
        typed.TryExecute(static (here, _) => here(13), Here, token).Value.Should().Be(13);
        typed.TryExecute(new("op"), static (_, here) => here(14), Here, token).Value.Should().Be(14);
        ResiliencePipeline.Empty.Execute(_ => Here(15)).Should().Be(15);
    }

    [Fact]
    public async Task An_asynchronous_call_is_not_synchronous() =>
        (await ResiliencePipeline.Empty.ExecuteAsync(new CallOptions("op"), static (context, _) => new ValueTask<bool>(context.IsSynchronous), 0))
            .Should().BeFalse();

    [Fact]
    public void A_failure_is_thrown_with_its_own_stack_and_a_cancelled_caller_finds_his_token()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o => (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.Zero)).Build();
        Action call = () => pipeline.Execute(static int (_) => Fails());
        call.Should().Throw<IOException>().Which.StackTrace.Should().Contain(nameof(Fails));

        using CancellationTokenSource leaving = new();
        Action left = () => pipeline.Execute(
            ct =>
            {
                leaving.Cancel();
                ct.ThrowIfCancellationRequested();
            },
            leaving.Token);
        left.Should().Throw<OperationCanceledException>().Which.CancellationToken.Should().Be(leaving.Token);
        Action before = () => pipeline.Execute(static _ => { }, leaving.Token);
        before.Should().Throw<OperationCanceledException>().Which.CancellationToken.Should().Be(leaving.Token);

        static int Fails() => throw new IOException("no");
    }

    [Fact]
    public void A_delegate_that_returns_a_task_is_rejected()
    {
        ResiliencePipeline pipeline = ResiliencePipeline.Empty;
        Action task = () => pipeline.TryExecute(static _ => Task.FromResult(1));
        Action valueTask = () => pipeline.Execute(static _ => new ValueTask<int>(1));
        Action state = () => pipeline.Execute(static (s, _) => Task.CompletedTask, 1);
        foreach (Action call in new[] { task, valueTask, state }) call.Should().Throw<ArgumentException>().WithMessage("*Use ExecuteAsync*");

        // Where the compiler can tell, it does.
        typeof(ResiliencePipeline).GetMethods()
            .Where(m => m.Name == nameof(ResiliencePipeline.Execute) && m.GetParameters()[0].ParameterType is { IsGenericType: true } type
                && typeof(Task).IsAssignableFrom(type.GetGenericArguments()[^1]))
            .Should().HaveCount(4).And.OnlyContain(m => m.GetCustomAttribute<ObsoleteAttribute>()!.IsError);
    }

    /// <summary>Drawn chains and drawn ends of attempts: the outcome, the number of attempts and the events are those of a call that is awaited.</summary>
    [Fact]
    public async Task A_synchronous_call_leaves_the_same_trace_as_one_that_is_awaited()
    {
        for (int seed = 0; seed < 1000; seed++)
        {
            List<string> awaited = await TraceAsync(seed, isSynchronous: false), synchronous = await TraceAsync(seed, isSynchronous: true);
            synchronous.Should().Equal(awaited, $"of seed {seed}");
        }
    }

    private static async Task<List<string>> TraceAsync(int seed, bool isSynchronous)
    {
        Random random = new(seed);
        List<string> trace = [];
        ResiliencePipelineBuilder builder = new() { Name = "drawn", TimeProvider = new InstantTime { StandsStill = true }, Randomness = Randomness.Seeded(seed) };
        builder.OnEvent(e => trace.Add(e.GetMessage().ToString()!));
        for (int i = random.Next(1, 5); i > 0; i--) AddPolicy(builder, random.Next(8));
        ResiliencePipeline pipeline = builder.Build();
        for (int call = 0; call < 6; call++)
        {
            Outcome<int> outcome = isSynchronous ? pipeline.TryExecute(_ => Attempt()) : await pipeline.TryExecuteAsync(_ => AttemptAsync());
            trace.Add($"{outcome.Verdict} {outcome.Exception?.GetType().Name} {(outcome.HasResult ? outcome.Value : 0)}");
        }

        return trace;

        int Attempt()
        {
            trace.Add("attempt");
            return random.Next(6) switch
            {
                0 => throw new IOException(),
                1 => throw new ArgumentException("an error of the program"),
                2 => throw new TimeoutException(),
                3 => throw new OperationCanceledException(),
                _ => random.Next(100),
            };
        }

        ValueTask<int> AttemptAsync()
        {
            try
            {
                return new(Attempt());
            }
            catch (Exception error)
            {
                return ValueTask.FromException<int>(error);
            }
        }
    }

    private static void AddPolicy(ResiliencePipelineBuilder builder, int kind) => _ = kind switch
    {
        0 => builder.AddRetry(o => (o.MaxRetries, o.Jitter, o.Budget) = (2, BackoffJitter.None, RetryBudget.Unlimited)),
        1 => builder.AddCircuitBreaker(o => (o.FailureRatio, o.ConsecutiveFailures) = (null, 3)),
        2 => builder.AddConcurrencyLimit(2),
        3 => builder.AddPipeline(new ResiliencePipelineBuilder { TimeProvider = builder.TimeProvider }.AddRetry(o => (o.MaxRetries, o.Budget) = (1,
            RetryBudget.Unlimited)).Build()),
        4 => builder.AddFallback(new FallbackOptions<int> { Call = static _ => new(-1) }),
        5 => builder.AddHedging(o => (o.MaxAttempts, o.Delay, o.Budget) = (2, Timeout.InfiniteTimeSpan, RetryBudget.Unlimited)), // after failures only: the one difference
        6 => builder.AddPolicy(new Passes()),
        _ => builder.AddRetry(o => (o.MaxRetries, o.Jitter, o.Budget, o.WaitForRejections) = (1, BackoffJitter.None, RetryBudget.Unlimited, true)),
    };

    [Fact]
    public void The_thread_that_called_makes_all_attempts_whatever_they_wait_for()
    {
        InstantTime time = new() { StandsStill = true };
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddFallback(new FallbackOptions<int> { Call = static async _ => { await Task.Yield(); return 7; } })
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Budget) = (3, TimeSpan.FromSeconds(1), RetryBudget.Unlimited))
            .AddPolicy(new Waits())
            .AddHedging(o => (o.MaxAttempts, o.Budget) = (2, RetryBudget.Unlimited)).Build();
        HashSet<int> threads = [];
        int attempts = 0;
        pipeline.Execute(_ =>
        {
            threads.Add(Environment.CurrentManagedThreadId);
            attempts++;
            return attempts < 20 ? throw new IOException() : 1;
        }).Should().Be(7);
        attempts.Should().Be(8, "four attempts of the retry, of two each");
        threads.Should().Equal(Environment.CurrentManagedThreadId);
    }

    [Fact]
    public void A_timeout_cancels_a_synchronous_delegate()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(20)).Build();
        Action call = () => pipeline.Execute(static ct =>
        {
            ct.WaitHandle.WaitOne(Patience).Should().BeTrue("the token is cancelled");
            ct.ThrowIfCancellationRequested();
        });
        call.Should().Throw<TimedOutException>();
    }

    [Fact]
    public void Callers_wait_in_a_queue_and_each_goes_on_by_itself()
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1, MaxQueued = 20, MaxWait = Patience });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddConcurrencyLimit(limit).Build();
        int inside = 0, most = 0, done = 0;
        limit.TryEnter().Should().BeTrue();
        Thread[] threads = [.. Enumerable.Range(0, 10).Select(_ => new Thread(() => pipeline.Execute(() =>
        {
            int here = Environment.CurrentManagedThreadId;
            most = Math.Max(most, Interlocked.Increment(ref inside));
            Thread.Yield();
            Interlocked.Decrement(ref inside);
            if (here == Environment.CurrentManagedThreadId) Interlocked.Increment(ref done);
        })))];
        foreach (Thread thread in threads) thread.Start();
        SpinWait.SpinUntil(() => limit.Waiting == 10, Patience).Should().BeTrue("all ten wait");
        limit.Release();
        foreach (Thread thread in threads) thread.Join(Patience).Should().BeTrue("each gets its turn");
        (done, most, limit.Running).Should().Be((10, 1, 0));
    }

    [Fact]
    public void A_caller_who_leaves_the_queue_is_told_at_once()
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1, MaxQueued = 1, MaxWait = Patience });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddConcurrencyLimit(limit).Build();
        limit.TryEnter().Should().BeTrue();
        using CancellationTokenSource leaving = new();
        Thread cancels = new(() =>
        {
            SpinWait.SpinUntil(() => limit.Waiting == 1, Patience);
            leaving.Cancel();
        });
        cancels.Start();
        Action call = () => pipeline.Execute(static _ => { }, leaving.Token);
        call.Should().Throw<OperationCanceledException>().Which.CancellationToken.Should().Be(leaving.Token);
        cancels.Join();
        limit.Waiting.Should().Be(0);
    }

    /// <summary>What a thread with a user interface has: what is posted to it waits until the thread is free, and it waits in Execute.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Asynchronous_code_of_the_user_does_not_want_the_thread_that_waits_for_it(bool onScheduler)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddFallback(new FallbackOptions<int> { Call = static async _ => { await Task.Yield(); return 7; } })
            .AddPolicy(new Yields())
            .Build();
        SynchronizationContext? context = null, found = null;
        int result = 0;
        Thread ui = new(() =>
        {
            SynchronizationContext.SetSynchronizationContext(context = new Unpumped());
            void Call() => result = pipeline.Execute(static int (_) => throw new IOException());
            if (onScheduler) new Task(Call).RunSynchronously(new Exclusive());
            else Call();
            found = SynchronizationContext.Current;
        });
        ui.IsBackground = true;
        ui.Start();
        ui.Join(Patience).Should().BeTrue("nothing waits for the thread that waits");
        result.Should().Be(7);
        found.Should().BeSameAs(context, "the caller's context is back");
    }

    [Fact]
    public void What_cannot_be_done_on_one_thread_is_an_error_that_says_so()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromSeconds(1), TimeSpan.Zero))
            .Build();
        bool ran = false;
        Action call = () => pipeline.Execute(() => { ran = true; });
        call.Should().Throw<InvalidOperationException>().WithMessage("timeout: AbandonAfter*ExecuteAsync*");
        ran.Should().BeFalse();
    }

    [Fact]
    public void A_synchronous_call_allocates_nothing()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddTimeout(TimeSpan.FromSeconds(30)).AddRetry().AddCircuitBreaker().AddConcurrencyLimit(10).AddTimeout(TimeSpan.FromSeconds(2)).Build();
        Func<CancellationToken, int> number = static _ => 42;
        Action<CancellationToken> nothing = static _ => { };
        Allocation.Allocated.BytesPerRun(() => pipeline.Execute(number)).Should().Be(0);
        Allocation.Allocated.BytesPerRun(() => pipeline.Execute(static (s, _) => s, 7L)).Should().Be(0);
        Allocation.Allocated.BytesPerRun(() => pipeline.TryExecute(number)).Should().Be(0);
        Allocation.Allocated.BytesPerRun(() => pipeline.Execute(nothing)).Should().Be(0);
        Allocation.Allocated.BytesPerRun(() => ResiliencePipeline.Empty.Execute(number)).Should().Be(0);
    }

    private sealed class Passes : SimplePolicy
    {
        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    /// <summary>Waits as a policy for synchronous calls does.</summary>
    private sealed class Waits : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            await context.WaitIfSynchronous(Task.Delay(1)).ConfigureAwait(false);
            return await next.ExecuteAsync(context).ConfigureAwait(false);
        }
    }

    /// <summary>Knows nothing of synchronous calls.</summary>
    private sealed class Yields : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            await Task.Yield();
            return await next.ExecuteAsync(context);
        }
    }

    private sealed class Unpumped : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
            // Its thread waits, and never comes to it.
        }
    }

    private sealed class Exclusive : TaskScheduler
    {
        protected override IEnumerable<Task>? GetScheduledTasks() => null;

        protected override void QueueTask(Task task)
        {
            // Its thread waits, and never comes to it.
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => !taskWasPreviouslyQueued && TryExecuteTask(task);
    }
}
