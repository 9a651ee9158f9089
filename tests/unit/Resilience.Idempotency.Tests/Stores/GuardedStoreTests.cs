using Microsoft.Extensions.Time.Testing;

namespace Resilience.Idempotency.Tests.Stores;

/// <summary>A store behind a pipeline, and the memory store's answers to those who have left.</summary>
public sealed class GuardedStoreTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly FakeTimeProvider _time = new();
    private readonly IdempotencyId _id = Kit.NewId();

    private AcquireRequest Request => new() { Id = _id, Nonce = Guid.NewGuid(), Lease = Hour, Retention = Hour, MaxAttempts = 3 };

    [Fact]
    public async Task Every_operation_passes_the_pipeline_and_comes_back()
    {
        InMemoryIdempotencyStore memory = new(timeProvider: _time);
        int passed = 0;
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Counting(() => passed++)).Build();
        GuardedIdempotencyStore store = new(memory, pipeline);
        store.Traits.Should().BeSameAs(memory.Traits);
        AcquireResult claim = await store.TryAcquireAsync(Request);
        (await store.RenewAsync(_id, claim.Fence, Hour)).Should().BeTrue();
        (await store.PeekAsync(_id)).State.Should().Be(IdempotencyState.InFlight);
        (await store.ReleaseAsync(_id, claim.Fence)).Should().BeTrue();
        AcquireResult second = await store.TryAcquireAsync(Request);
        (await store.CompleteAsync(_id, second.Fence, IdempotencyCompletion.Completed, "done"u8.ToArray(), Hour)).Should().BeTrue();
        _time.Advance(2 * Hour);
        (await store.PurgeAsync(10)).Should().Be(1);
        passed.Should().Be(7);
    }

    [Fact]
    public async Task A_rejection_and_a_timeout_of_the_pipeline_are_a_store_that_cannot_be_asked()
    {
        CircuitBreaker breaker = new(new());
        breaker.Isolate();
        GuardedIdempotencyStore rejected = new(new InMemoryIdempotencyStore(), new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build());
        (await rejected.Awaiting(s => s.PeekAsync(_id).AsTask()).Should().ThrowAsync<IdempotencyStoreException>())
            .Which.Should().Match<IdempotencyStoreException>(e => e.Fault == IdempotencyStoreFault.Unavailable && e.InnerException is CircuitOpenException);

        UnrulyStore hanging = new(new InMemoryIdempotencyStore()) { Before = _ => new TaskCompletionSource().Task };
        ResiliencePipeline timed = new ResiliencePipelineBuilder { TimeProvider = _time }
            .AddTimeout(new TimeoutOptions { Timeout = TimeSpan.FromSeconds(1), AbandonAfter = TimeSpan.Zero }).Build();
        Task<PeekResult> asking = new GuardedIdempotencyStore(hanging, timed).PeekAsync(_id).AsTask();
        while (!asking.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(asking, Task.Delay(1));
        }

        (await FluentActions.Awaiting(() => asking).Should().ThrowAsync<IdempotencyStoreException>()).WithMessage("*'unruly' is not asked*");
    }

    [Theory]
    [InlineData(IdempotencyStoreFault.Unavailable, Verdict.Failure)]
    [InlineData(IdempotencyStoreFault.Full, Verdict.Failure)]
    [InlineData(IdempotencyStoreFault.Corrupt, Verdict.Ignored)]
    [InlineData(IdempotencyStoreFault.Misconfigured, Verdict.Ignored)]
    public void Only_what_says_that_the_store_is_ill_counts_against_it(IdempotencyStoreFault fault, Verdict verdict) =>
        GuardedIdempotencyStore.Classifier.Classify(new IdempotencyStoreException(fault, "planned"), false).Should().Be(verdict);

    [Fact]
    public async Task A_caller_that_has_left_changes_nothing_in_memory()
    {
        InMemoryIdempotencyStore store = new(timeProvider: _time);
        CancellationToken left = new(canceled: true);
        await store.Awaiting(s => s.TryAcquireAsync(Request, left).AsTask()).Should().ThrowAsync<OperationCanceledException>();
        AcquireResult claim = await store.TryAcquireAsync(Request);
        await store.Awaiting(s => s.RenewAsync(_id, claim.Fence, Hour, left).AsTask()).Should().ThrowAsync<OperationCanceledException>();
        await store.Awaiting(s => s.CompleteAsync(_id, claim.Fence, IdempotencyCompletion.Completed, default, Hour, left).AsTask())
            .Should().ThrowAsync<OperationCanceledException>();
        await store.Awaiting(s => s.ReleaseAsync(_id, claim.Fence, left).AsTask()).Should().ThrowAsync<OperationCanceledException>();
        await store.Awaiting(s => s.PeekAsync(_id, left).AsTask()).Should().ThrowAsync<OperationCanceledException>();
        (await store.PeekAsync(_id)).Should().Match<PeekResult>(p => p.State == IdempotencyState.InFlight && p.Fence == claim.Fence);
        _time.Advance(2 * Hour);
        (await store.PurgeAsync(10, left)).Should().Be(0);
        (await store.PurgeAsync(10)).Should().Be(1);
        IdempotencyId absent = Kit.NewId();
        (await store.RenewAsync(absent, 1, Hour)).Should().BeFalse();
        (await store.CompleteAsync(absent, 1, IdempotencyCompletion.Completed, default, Hour)).Should().BeFalse();
        (await store.ReleaseAsync(absent, 1)).Should().BeFalse();
        (await store.PeekAsync(absent)).State.Should().Be(IdempotencyState.Absent);
    }

    [Fact]
    public async Task With_nothing_but_claims_there_is_nothing_to_forget()
    {
        InMemoryIdempotencyStore store = new(new() { MaxRecords = 2, WhenFull = WhenStoreIsFull.EvictOldestCompleted }, _time);
        AcquireResult first = await store.TryAcquireAsync(Request);
        await store.TryAcquireAsync(Request with { Id = Kit.NewId() });
        (await store.Awaiting(s => s.TryAcquireAsync(Request with { Id = Kit.NewId() }).AsTask()).Should().ThrowAsync<IdempotencyStoreException>())
            .Which.Fault.Should().Be(IdempotencyStoreFault.Full);
        await store.CompleteAsync(_id, first.Fence, IdempotencyCompletion.Completed, default, Hour);
        (await store.TryAcquireAsync(Request with { Id = Kit.NewId() })).Status.Should().Be(AcquireStatus.Acquired);
        store.Evicted.Should().Be(1);
    }

    private sealed class Counting(Action passed) : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(passed, next);

        public override PolicyDescription Describe() => new("counting", PolicyRole.Other);

        private sealed class Link<T>(Action passed, PolicyLink<T> next) : PolicyLink<T>
        {
            public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                passed();
                return next.ExecuteAsync(context);
            }
        }
    }
}
