using System.Net;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Time.Testing;
using Resilience.Tests.Http;

namespace Resilience.Tests.RateLimiting;

/// <summary>The limiters of the framework as a policy.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class RateLimiterTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private ResiliencePipeline Pipeline(RateLimiter limiter, Action<RateLimiterOptions>? configure = null, Action<ResiliencePipelineBuilder>? outside = null)
    {
        ResiliencePipelineBuilder builder = new() { Name = "orders", TimeProvider = _time };
        outside?.Invoke(builder);
        return builder.AddRateLimiter(limiter, configure).OnEvent(_events.Add).Build();
    }

    private static ValueTask<int> Answer(CancellationToken token) => new(42);

    public static TheoryData<RateLimiter> Limiters => new(
        new ConcurrencyLimiter(new() { PermitLimit = 2, QueueLimit = 0 }),
        new TokenBucketRateLimiter(new() { TokenLimit = 2, TokensPerPeriod = 1, ReplenishmentPeriod = TimeSpan.FromSeconds(7), AutoReplenishment = false }),
        new FixedWindowRateLimiter(new() { PermitLimit = 2, Window = TimeSpan.FromSeconds(7), AutoReplenishment = false }),
        new SlidingWindowRateLimiter(new() { PermitLimit = 2, Window = TimeSpan.FromSeconds(7), SegmentsPerWindow = 7, AutoReplenishment = false }));

    [Theory]
    [MemberData(nameof(Limiters))]
    public async Task Each_limiter_of_the_framework_rejects_as_data_with_its_own_time_to_come_back(RateLimiter limiter)
    {
        ResiliencePipeline pipeline = Pipeline(limiter);
        TaskCompletionSource<int> end = new();
        Task<int>[] running = [.. Enumerable.Range(0, 2).Select(_ => pipeline.ExecuteAsync(_ => new ValueTask<int>(end.Task)).AsTask())];
        Outcome<int> rejected = await pipeline.TryExecuteAsync(Answer);
        rejected.Verdict.Should().Be(Verdict.Rejected);
        rejected.Rejection.Should().BeOfType<RateLimitRejection>().Which.Reason.Should().StartWith("orders/rate-limiter: the rate limit is reached");
        bool knowsTime = limiter is TokenBucketRateLimiter or FixedWindowRateLimiter;
        rejected.RetryAfter.HasValue.Should().Be(knowsTime, "{0}", limiter.GetType());
        if (knowsTime) rejected.RetryAfter.Should().BeGreaterThan(TimeSpan.Zero).And.BeLessThanOrEqualTo(TimeSpan.FromSeconds(7));
        (await pipeline.Invoking(p => p.ExecuteAsync(Answer).AsTask()).Should().ThrowAsync<RateLimitedException>())
            .Which.RetryAfter.HasValue.Should().Be(knowsTime);
        _events.OfType<RateLimitReached>().Should().HaveCount(2);
        end.SetResult(1);
        await Task.WhenAll(running);
        limiter.GetStatistics()!.CurrentQueuedCount.Should().Be(0);
    }

    [Fact]
    public async Task A_call_may_wait_in_the_limiters_queue_and_its_cancellation_ends_the_wait()
    {
        using ConcurrencyLimiter limiter = new(new() { PermitLimit = 1, QueueLimit = 10 });
        ResiliencePipeline pipeline = Pipeline(limiter);
        TaskCompletionSource<int> end = new();
        Task<int> first = pipeline.ExecuteAsync(_ => new ValueTask<int>(end.Task)).AsTask();
        Task<int> second = pipeline.ExecuteAsync(Answer).AsTask();
        using CancellationTokenSource stop = new();
        Task<Outcome<int>> third = pipeline.TryExecuteAsync(Answer, stop.Token).AsTask();
        limiter.GetStatistics()!.CurrentQueuedCount.Should().Be(2);
        await stop.CancelAsync();
        Outcome<int> cancelled = await third.WaitAsync(TimeSpan.FromSeconds(30));
        (cancelled.Verdict, cancelled.Exception is OperationCanceledException).Should().Be((Verdict.Ignored, true));
        second.IsCompleted.Should().BeFalse();
        end.SetResult(1);
        (await second.WaitAsync(TimeSpan.FromSeconds(30))).Should().Be(42);
        await first;
        (await Pipeline(limiter, o => o.MayQueue = false).ExecuteAsync(Answer)).Should().Be(42);
    }

    [Fact]
    public async Task A_call_that_is_cancelled_at_the_moment_it_is_let_in_does_not_run_and_gives_its_lease_back()
    {
        using CancellationTokenSource stop = new();
        int asked = 0, given = 0;
        TaskCompletionSource turn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using Told limiter = new(() => ++asked == 1 ? TimeSpan.FromSeconds(1) : null) { Turn = turn.Task, OnDispose = () => given++ };
        bool ran = false;
        Task<Outcome<int>> waiting = Pipeline(limiter).TryExecuteAsync(
            token =>
            {
                ran = true;
                return Answer(token);
            },
            stop.Token).AsTask();
        await stop.CancelAsync(); // this limiter lets in a call that waited, cancelled or not
        turn.SetResult();
        Outcome<int> outcome = await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeAssignableTo<OperationCanceledException>().Which.CancellationToken.Should().Be(stop.Token);
        (ran, given).Should().Be((false, 2), "the lease that rejected at first is given back as well");
    }

    [Fact]
    public async Task A_call_that_may_not_queue_is_rejected_at_once()
    {
        using ConcurrencyLimiter limiter = new(new() { PermitLimit = 1, QueueLimit = 10 });
        using RateLimitLease taken = limiter.AttemptAcquire();
        (await Pipeline(limiter, o => o.MayQueue = false).TryExecuteAsync(Answer)).Verdict.Should().Be(Verdict.Rejected);
        limiter.GetStatistics()!.CurrentQueuedCount.Should().Be(0);
    }

    [Fact]
    public async Task A_partition_for_each_operation()
    {
        await using PartitionedRateLimiter<ResilienceContext> limiter = PartitionedRateLimiter.Create<ResilienceContext, string>(context =>
            RateLimitPartition.GetFixedWindowLimiter(context.Operation ?? "", _ => new() { PermitLimit = 1, Window = TimeSpan.FromHours(1) }));
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRateLimiter(limiter).Build();
        async Task<Verdict> CallAsync(string operation) =>
            (await pipeline.TryExecuteAsync(new CallOptions(operation), (_, _) => new ValueTask<int>(1), 0)).Verdict;
        (await CallAsync("buy"), await CallAsync("sell"), await CallAsync("buy")).Should().Be((Verdict.Success, Verdict.Success, Verdict.Rejected));
    }

    [Fact]
    public async Task A_retry_that_waits_for_rejections_waits_as_long_as_the_limiter_says()
    {
        int asked = 0;
        using Told limiter = new(() => ++asked > 2 ? null : TimeSpan.FromSeconds(9)); // a call asks twice: at once, and by the queue
        TaskCompletionSource waits = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ResiliencePipeline pipeline = Pipeline(limiter, outside: b => b.AddRetry(o =>
        {
            o.WaitForRejections = true;
            o.RetryAfterJitter = 0;
            o.OnRetry = (_, delay) => (delay == TimeSpan.FromSeconds(9) ? waits : new()).SetResult();
        }));
        Task<int> running = pipeline.ExecuteAsync(Answer).AsTask();
        await waits.Task.WaitAsync(TimeSpan.FromSeconds(30));
        for (int i = 0; i < 1000 && !running.IsCompleted; i++) _time.Advance(TimeSpan.FromSeconds(1));
        (await running.WaitAsync(TimeSpan.FromSeconds(30))).Should().Be(42);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_limiter_that_throws_ends_the_call_and_says_nothing_about_the_dependency(bool isDisposed)
    {
        using Told limiter = new(() => throw new InvalidOperationException("broken"));
        if (isDisposed) limiter.Dispose();
        Outcome<int> outcome = await Pipeline(limiter, outside: b => b.AddRetry().AddCircuitBreaker(o => o.ConsecutiveFailures = 1)).TryExecuteAsync(Answer);
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeAssignableTo<InvalidOperationException>();
    }

    [Fact]
    public async Task A_lease_that_cannot_be_given_back_leaves_the_outcome_as_it_is()
    {
        using Told limiter = new(() => null) { OnDispose = () => throw new InvalidOperationException("broken") };
        ResiliencePipeline pipeline = Pipeline(limiter, outside: b => b.AddRetry().AddCircuitBreaker(o => o.ConsecutiveFailures = 1));
        int calls = 0;
        (await pipeline.ExecuteAsync(_ => new ValueTask<int>(++calls))).Should().Be(1, "the dependency answered, and is not asked again");
        pipeline.Find<CircuitBreaker>()!.TakeSnapshot().State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public async Task A_rejection_whose_reasons_cannot_be_read_is_a_rejection_all_the_same()
    {
        int disposed = 0;
        using Told limiter = new(() => TimeSpan.FromSeconds(9)) { OnRead = () => throw new InvalidOperationException("broken"), OnDispose = () => disposed++ };
        Outcome<int> outcome = await Pipeline(limiter).TryExecuteAsync(Answer);
        (outcome.Verdict, outcome.RetryAfter).Should().Be((Verdict.Rejected, null));
        disposed.Should().Be(2, "a call asks twice: at once, and by the queue");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public async Task A_time_to_come_back_that_lies_in_the_past_is_none(long ticks)
    {
        using Told limiter = new(() => TimeSpan.FromTicks(ticks));
        (await Pipeline(limiter).TryExecuteAsync(Answer)).Rejection!.RetryAfter.Should().BeNull();
    }

    [Theory]
    [MemberData(nameof(Queues))]
    public async Task Calls_that_queue_in_a_limiter_which_is_disposed_of_end(RateLimiter limiter)
    {
        using RateLimitLease taken = limiter.AttemptAcquire();
        ResiliencePipeline pipeline = Pipeline(limiter, outside: b => b.AddCircuitBreaker(o => o.ConsecutiveFailures = 1));
        Task<Outcome<int>> waiting = pipeline.TryExecuteAsync(Answer).AsTask();
        limiter.GetStatistics()!.CurrentQueuedCount.Should().Be(1);
        await limiter.DisposeAsync();
        (await waiting.WaitAsync(TimeSpan.FromSeconds(30))).Verdict.Should().Be(Verdict.Rejected, "it never got a permit");
        Outcome<int> late = await pipeline.TryExecuteAsync(Answer).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        (late.Verdict, late.Exception is ObjectDisposedException).Should().Be((Verdict.Ignored, true));
        pipeline.Find<CircuitBreaker>()!.TakeSnapshot().State.Should().Be(CircuitState.Closed);
    }

    [Theory]
    [MemberData(nameof(Queues))]
    public async Task A_call_that_queues_goes_on_when_the_limiter_has_permits_again(RateLimiter limiter)
    {
        using (limiter)
        {
            RateLimitLease taken = limiter.AttemptAcquire();
            Task<int> waiting = Pipeline(limiter).ExecuteAsync(Answer).AsTask();
            waiting.IsCompleted.Should().BeFalse();
            taken.Dispose();
            DateTime latest = DateTime.UtcNow + TimeSpan.FromSeconds(30); // their clock is the machine's; their period is the shortest there is
            while (!waiting.IsCompleted && limiter is ReplenishingRateLimiter late && DateTime.UtcNow < latest)
            {
                late.TryReplenish();
                await Task.Yield();
            }

            (await waiting.WaitAsync(TimeSpan.FromSeconds(30))).Should().Be(42);
        }
    }

    public static TheoryData<RateLimiter> Queues => new(
        new ConcurrencyLimiter(new() { PermitLimit = 1, QueueLimit = 1 }),
        new TokenBucketRateLimiter(new()
        {
            TokenLimit = 1,
            TokensPerPeriod = 1,
            ReplenishmentPeriod = TimeSpan.FromMilliseconds(1),
            AutoReplenishment = false,
            QueueLimit = 1,
        }),
        new FixedWindowRateLimiter(new() { PermitLimit = 1, Window = TimeSpan.FromMilliseconds(1), AutoReplenishment = false, QueueLimit = 1 }),
        new SlidingWindowRateLimiter(new()
        {
            PermitLimit = 1,
            Window = TimeSpan.FromMilliseconds(2),
            SegmentsPerWindow = 2,
            AutoReplenishment = false,
            QueueLimit = 1,
        }));

    [Fact]
    public async Task No_lease_is_lost_when_64_threads_race_and_calls_fail()
    {
        using ConcurrencyLimiter limiter = new(new() { PermitLimit = 5, QueueLimit = 3 });
        ResiliencePipeline pipeline = Pipeline(limiter);
        int inside = 0, max = 0;
        Together.Run(64, 200, _ => { }, (thread, round) => pipeline.TryExecuteAsync<int>(async _ =>
        {
            int now = Interlocked.Increment(ref inside);
            for (int seen = max; now > seen; seen = max) Interlocked.CompareExchange(ref max, now, seen);
            await Task.Yield();
            Interlocked.Decrement(ref inside);
            return (thread + round) % 3 == 0 ? throw new IOException() : 1;
        }).AsTask().GetAwaiter().GetResult(), _ => { });
        max.Should().BeLessThanOrEqualTo(5);
        RateLimiterStatistics after = limiter.GetStatistics()!;
        (after.CurrentAvailablePermits, after.CurrentQueuedCount).Should().Be((5, 0));
        (await pipeline.ExecuteAsync(Answer)).Should().Be(42);
    }

    [Fact]
    public async Task Callers_of_a_client_get_the_time_to_come_back()
    {
        using Told limiter = new(() => TimeSpan.FromSeconds(9));
        ScriptedHandler network = new(HttpStatusCode.OK);
        HttpClient client = HttpKit.Client(HttpResilience.Custom(b => b.AddRateLimiter(limiter)), network);
        (await client.Invoking(c => c.GetAsync(HttpKit.Address)).Should().ThrowAsync<HttpResilienceException>())
            .Which.RetryAfter.Should().Be(TimeSpan.FromSeconds(9));
        network.Count.Should().Be(0);
    }

    [Fact]
    public void Options_are_checked_and_the_policy_describes_itself()
    {
        using Told limiter = new(() => null);
        FluentActions.Invoking(() => Pipeline(limiter, o => o.Permits = 0)).Should().Throw<ResilienceOptionsException>()
            .Which.Problems.Single().Option.Should().Be("Permits");
        PolicyDescription described = Pipeline(limiter, o => o.Permits = 3).Describe().Policies.Single();
        (described.Name, described.Role).Should().Be(("rate-limiter", PolicyRole.RateLimit));
        described.Options.Select(o => o.Value).Should().Equal("Told", "3", "as the limiter has it");
    }

    [Theory]
    [InlineData(3200, "permits are expected in 3.2 s, at 12:00:07Z.")]
    [InlineData(0, "permits are expected now.")]
    [InlineData(-1, "the limiter does not say when there will be any.")]
    public async Task A_rejection_says_who_why_with_which_counts_since_when_and_until_when(int waitMs, string until)
    {
        FakeTimeProvider time = new(new(2026, 1, 1, 12, 0, 3, TimeSpan.Zero));
        using Told limiter = new(() => TimeSpan.FromMilliseconds(waitMs));
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "orders", TimeProvider = time }.AddRateLimiter(limiter, o => o.Permits = 2)
            .Build();
        Rejection rejection = (await pipeline.TryExecuteAsync(Answer)).Rejection!;
        rejection.Reason.Should().Be(
            "orders/rate-limiter: the rate limit is reached, as of 12:00:03Z, because the limiter had fewer than 2 permits available; " + until);
        rejection.ToException().Message.Should().Be(rejection.Reason);
    }

    /// <summary>A limiter that does as it is told: null gives a lease, a time rejects one.</summary>
    private sealed class Told(Func<TimeSpan?> next) : RateLimiter
    {
        private bool _isDisposed;

        public Action? OnRead { get; init; }

        public Action? OnDispose { get; init; }

        /// <summary>What those who queue wait for.</summary>
        public Task Turn { get; init; } = Task.CompletedTask;

        public override TimeSpan? IdleDuration => null;

        public override RateLimiterStatistics? GetStatistics() => null;

        protected override RateLimitLease AttemptAcquireCore(int permitCount)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            return new Lease(this, next());
        }

        protected override ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
        {
            return Turn.IsCompleted ? new(AttemptAcquireCore(permitCount)) : LaterAsync();

            async ValueTask<RateLimitLease> LaterAsync()
            {
                await Turn.ConfigureAwait(false);
                return AttemptAcquireCore(permitCount);
            }
        }

        protected override void Dispose(bool disposing)
        {
            _isDisposed = true;
            base.Dispose(disposing);
        }

        private sealed class Lease(Told limiter, TimeSpan? wait) : RateLimitLease
        {
            public override bool IsAcquired => wait is null;

            public override IEnumerable<string> MetadataNames => [MetadataName.RetryAfter.Name];

            public override bool TryGetMetadata(string metadataName, out object? metadata)
            {
                limiter.OnRead?.Invoke();
                metadata = wait;
                return wait is not null && metadataName == MetadataName.RetryAfter.Name;
            }

            protected override void Dispose(bool disposing)
            {
                base.Dispose(disposing);
                limiter.OnDispose?.Invoke();
            }
        }
    }
}
