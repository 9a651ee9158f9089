namespace Resilience.Starved;

/// <summary>All that becomes due in the library, each begun on a thread of its own and observed where code of users would.</summary>
internal static class Matters
{
    internal const string Planted = "planted-ordinary-queue";

    internal static readonly IReadOnlyDictionary<string, Func<Order, Task>> All = new SortedDictionary<string, Func<Order, Task>>(StringComparer.Ordinal)
    {
        ["timeout-long"] = o => TimeoutAsync(o, 300, 1),
        ["timeout-long-many"] = o => TimeoutAsync(o, 300, 200),
        ["timeout-short"] = o => TimeoutAsync(o, 120, 1),
        ["timeout-short-many"] = o => TimeoutAsync(o, 120, 200),
        ["timeout-call-ends"] = o => CallEndsAsync(o, 300),
        ["timeout-short-call-ends"] = o => CallEndsAsync(o, 120),
        ["timeout-abandons"] = AbandonsAsync,
        ["timeout-in-timeout"] = NestedAsync,
        ["hedge-starts"] = HedgeStartsAsync,
        ["hedge-loser-hears"] = LoserHearsAsync,
        ["retry-begins"] = o => RetryAsync(o, 1),
        ["retry-begins-many"] = o => RetryAsync(o, 200),
        ["retry-wait-is-cancelled"] = RetryIsCancelledAsync,
        ["retry-begins-synchronous"] = o => SynchronousRetryAsync(o, 1),
        ["retry-begins-synchronous-many"] = o => SynchronousRetryAsync(o, 20),
        ["queue-gives-up-synchronous"] = SynchronousQueueAsync,
        ["queue-gives-up"] = o => QueueAsync(o, TimeSpan.FromMilliseconds(150), 1),
        ["queue-gives-up-many"] = o => QueueAsync(o, TimeSpan.FromMilliseconds(150), 200),
        ["queue-times-out"] = o => QueueAsync(o, TimeSpan.FromSeconds(60), 1),
        ["lease-renewed"] = LeaseAsync,
        ["chaos-latency"] = ChaosLatencyAsync,
        ["chaos-latency-is-cancelled"] = ChaosLatencyIsCancelledAsync,

        // What must be found: a timer that is in time, and what it has to tell goes to the end of the queue.
        [Planted] = async order =>
        {
            order.Expect(200);
            using Timer timer = new(_ => ThreadPool.UnsafeQueueUserWorkItem(static o => o.Ours(), order, preferLocal: false), null, 200, Timeout.Infinite);
            await order.BothAsync().ConfigureAwait(false);
        },
    };

    /// <summary>The pool is starved, so nothing may begin there.</summary>
    private static void OnThread(Func<Task> call) => new Thread(() => _ = call()) { IsBackground = true }.Start();

    private static async ValueTask<int> HangAsync(CancellationToken token)
    {
        await Task.Delay(Timeout.Infinite, token).ConfigureAwait(false);
        return 0;
    }

    private static async Task TimeoutAsync(Order order, int ms, int calls)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(ms)).Build();
        OnThread(() =>
        {
            for (int i = 0; i < calls; i++)
            {
                _ = pipeline.TryExecuteAsync(token =>
                {
                    token.Register(order.Ours);
                    return new ValueTask<int>(new TaskCompletionSource<int>().Task);
                }).AsTask();
            }

            order.Expect(ms, calls);
            return Task.CompletedTask;
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task CallEndsAsync(Order order, int ms)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(ms)).Build();
        OnThread(async () =>
        {
            order.Expect(ms);
            await pipeline.TryExecuteAsync(HangAsync).ConfigureAwait(false);
            order.Ours();
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task AbandonsAsync(Order order)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromMilliseconds(120), TimeSpan.FromMilliseconds(100))).Build();
        OnThread(async () =>
        {
            order.Expect(220);
            await pipeline.TryExecuteAsync(_ => new ValueTask<int>(new TaskCompletionSource<int>().Task)).ConfigureAwait(false);
            order.Ours();
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static ResiliencePipelineBuilder Slowing(ResiliencePipelineBuilder builder, TimeSpan latency)
    {
        builder.EnvironmentName = "Development";
        return builder.AddChaos(o => (o.IsOn, o.Latency, o.Rates) = (true, latency, new() { Latency = 1 }));
    }

    private static async Task ChaosLatencyAsync(Order order)
    {
        ResiliencePipeline pipeline = Slowing(new(), TimeSpan.FromMilliseconds(150)).Build();
        OnThread(() =>
        {
            order.Expect(150);
            return pipeline.TryExecuteAsync(_ =>
            {
                order.Ours();
                return new ValueTask<int>(1);
            }).AsTask();
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task ChaosLatencyIsCancelledAsync(Order order)
    {
        ResiliencePipeline pipeline = Slowing(new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(150)), TimeSpan.FromMinutes(1)).Build();
        OnThread(async () =>
        {
            order.Expect(150);
            await pipeline.TryExecuteAsync(HangAsync).ConfigureAwait(false);
            order.Ours();
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task NestedAsync(Order order)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddTimeout(TimeSpan.FromMilliseconds(300)).AddRetry().AddTimeout(TimeSpan.FromSeconds(10)).Build();
        OnThread(async () =>
        {
            order.Expect(300);
            await pipeline.TryExecuteAsync(HangAsync).ConfigureAwait(false);
            order.Ours();
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task HedgeStartsAsync(Order order)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddHedging(o => o.Delay = TimeSpan.FromMilliseconds(150)).Build();
        int attempts = 0;
        OnThread(() =>
        {
            order.Expect(150);
            return pipeline.TryExecuteAsync(_ =>
            {
                if (Interlocked.Increment(ref attempts) == 2) order.Ours();
                return new ValueTask<int>(new TaskCompletionSource<int>().Task);
            }).AsTask();
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task LoserHearsAsync(Order order)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddHedging(o => o.Delay = TimeSpan.Zero).Build();
        TaskCompletionSource<int> winner = new();
        int attempts = 0;
        OnThread(() => pipeline.TryExecuteAsync(token =>
        {
            if (Interlocked.Increment(ref attempts) == 1) return new ValueTask<int>(winner.Task);
            token.Register(order.Ours);
            OnThread(() =>
            {
                order.Expect(0);
                winner.SetResult(1);
                return Task.CompletedTask;
            });
            return new ValueTask<int>(new TaskCompletionSource<int>().Task);
        }).AsTask());
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task RetryAsync(Order order, int calls)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o =>
        {
            (o.MaxRetries, o.BackoffKind, o.Jitter) = (1, BackoffKind.Constant, BackoffJitter.None);
            (o.BaseDelay, o.Budget) = (TimeSpan.FromMilliseconds(150), RetryBudget.Unlimited);
        }).Build();
        OnThread(() =>
        {
            for (int i = 0; i < calls; i++)
            {
                int attempts = 0;
                _ = pipeline.TryExecuteAsync(_ =>
                {
                    if (++attempts == 2) order.Ours();
                    return ValueTask.FromException<int>(new IOException());
                }).AsTask();
            }

            order.Expect(150, calls);
            return Task.CompletedTask;
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task RetryIsCancelledAsync(Order order)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o =>
        {
            (o.BackoffKind, o.Jitter, o.BaseDelay) = (BackoffKind.Constant, BackoffJitter.None, TimeSpan.FromMinutes(1));
            o.Budget = RetryBudget.Unlimited;
        }).Build();
        using CancellationTokenSource caller = new();
        using Timer impatience = new(_ => caller.Cancel(), null, 150, Timeout.Infinite);
        OnThread(async () =>
        {
            order.Expect(150);
            await pipeline.TryExecuteAsync(static _ => ValueTask.FromException<int>(new IOException()), caller.Token).ConfigureAwait(false);
            order.Ours();
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    /// <summary>Each waits on a thread of its own, and needs no other to go on.</summary>
    private static async Task SynchronousRetryAsync(Order order, int calls)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o =>
        {
            (o.MaxRetries, o.BackoffKind, o.Jitter) = (1, BackoffKind.Constant, BackoffJitter.None);
            (o.BaseDelay, o.Budget) = (TimeSpan.FromMilliseconds(150), RetryBudget.Unlimited);
        }).Build();
        using CountdownEvent failed = new(calls);
        for (int i = 0; i < calls; i++)
        {
            OnThread(() =>
            {
                int attempts = 0;
                _ = pipeline.TryExecute(int (_) =>
                {
                    if (++attempts == 2) order.Ours();
                    else failed.Signal();
                    throw new IOException();
                });
                return Task.CompletedTask;
            });
        }

        OnThread(() =>
        {
            failed.Wait();
            order.Expect(150, calls);
            return Task.CompletedTask;
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task SynchronousQueueAsync(Order order)
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1, MaxQueued = 1, MaxWait = TimeSpan.FromMilliseconds(150) });
        limit.TryEnter();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddConcurrencyLimit(limit).Build();
        OnThread(() =>
        {
            order.Expect(150);
            _ = pipeline.TryExecute(static _ => 0);
            order.Ours();
            return Task.CompletedTask;
        });
        await order.BothAsync().ConfigureAwait(false);
    }

    private static async Task QueueAsync(Order order, TimeSpan wait, int calls)
    {
        bool isTimeout = wait > TimeSpan.FromSeconds(1);
        ResiliencePipelineBuilder builder = new();
        if (isTimeout) builder.AddTimeout(TimeSpan.FromMilliseconds(250));
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1, MaxQueued = 1000, MaxWait = wait });
        limit.TryEnter();
        ResiliencePipeline pipeline = builder.AddConcurrencyLimit(limit).Build();
        OnThread(() =>
        {
            for (int i = 0; i < calls; i++) _ = EndAsync();
            order.Expect(isTimeout ? 250 : (int)wait.TotalMilliseconds, calls);
            return Task.CompletedTask;
        });
        await order.BothAsync().ConfigureAwait(false);

        async Task EndAsync()
        {
            await pipeline.TryExecuteAsync(static _ => default(ValueTask<int>)).ConfigureAwait(false);
            order.Ours();
        }
    }

    private static async Task LeaseAsync(Order order)
    {
        // Renewed a third of the lease after it was granted, a tenth more or less, at the next twelfth.
        const int leaseMs = 900;
        TaskCompletionSource isOver = new();
        using IdempotencyGate gate = new(new Watched(order), new() { Lease = TimeSpan.FromMilliseconds(leaseMs) });
        OnThread(() =>
        {
            order.Expect((leaseMs * 11 / 30) + (leaseMs / 12));
            return gate.ProcessOnceAsync(new("messages", "1"), (_, _) => new ValueTask(isOver.Task)).AsTask();
        });
        await order.BothAsync().ConfigureAwait(false);
        isOver.SetResult();
    }

    private sealed class Watched(Order order) : IIdempotencyStore
    {
        private readonly InMemoryIdempotencyStore _store = new();

        public IdempotencyStoreTraits Traits => _store.Traits;

        public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken) => _store.TryAcquireAsync(request, cancellationToken);

        public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken)
        {
            order.Ours();
            return _store.RenewAsync(id, fence, lease, cancellationToken);
        }

        public ValueTask<bool> CompleteAsync(
            IdempotencyId id, long fence, IdempotencyCompletion outcome, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken) =>
            _store.CompleteAsync(id, fence, outcome, payload, retention, cancellationToken);

        public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken) => _store.ReleaseAsync(id, fence, cancellationToken);

        public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken) => _store.PeekAsync(id, cancellationToken);

        public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken) => _store.PurgeAsync(max, cancellationToken);
    }
}
