using System.Text;
using Resilience.Tests;

namespace Resilience.Idempotency.Tests.Pipeline;

/// <summary>Outcomes that seldom happen: callers who leave, records of another kind, claims lost in the middle.</summary>
public sealed class RareOutcomesTests
{
    private static readonly IdempotencyKey Key = new("shop", "order-1");

    private static CallOptions With(string? asked = null)
    {
        CallProperties properties = new CallProperties().With(IdempotencyKey.Property, Key);
        return new("charge") { Properties = asked is null ? properties : properties.With(Fingerprint.Property, Fingerprint.Of(asked)) };
    }

    private static ResiliencePipeline Pipeline(IdempotencyGate gate, Action<IdempotencyPolicyOptions>? configure = null)
    {
        IdempotencyPolicyOptions options = new();
        configure?.Invoke(options);
        return new ResiliencePipelineBuilder().AddIdempotency(gate, options).Build();
    }

    [Fact]
    public async Task A_caller_that_leaves_before_its_result_has_asked_for_nothing_and_its_late_claim_is_given_back()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        TaskCompletionSource slow = new(), asked = new();
        store!.Before = operation =>
        {
            if (operation != "acquire") return Task.CompletedTask;
            asked.TrySetResult();
            return slow.Task;
        };
        using CancellationTokenSource leaving = new();
        ValueTask<Outcome<int>> call = Pipeline(kit.Gate).TryExecuteAsync<int,
            int>(With(), static (_, _) => throw new InvalidOperationException("must not run"), 0, leaving.Token);
        Task<Outcome<int>> running = call.AsTask();
        await asked.Task.WaitAsync(Kit.Patience);
        await leaving.CancelAsync();
        Outcome<int> outcome = await running.WaitAsync(Kit.Patience);
        (outcome.Verdict, outcome.Exception is OperationCanceledException).Should().Be((Verdict.Ignored, true));
        store.Before = null;
        slow.SetResult();
        await Kit.UntilAsync(() =>
        {
            lock (store.Asked) return store.Asked.Contains("release");
        });
        (await kit.Gate.EnterAsync(Key.ToId(), default)).Status.Should().Be(IdempotencyStatus.Claimed);
    }

    [Fact]
    public async Task A_caller_that_left_sees_no_failure_of_the_store_afterwards()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        TaskCompletionSource slow = new();
        store!.Before = _ => slow.Task;
        using CancellationTokenSource leaving = new();
        Task<IdempotencyResult> entering = kit.Gate.EnterAsync(Key.ToId(), default, leaving.Token).AsTask();
        await leaving.CancelAsync();
        await FluentActions.Awaiting(() => entering).Should().ThrowAsync<OperationCanceledException>();
        store.Before = null;
        slow.SetException(new IdempotencyStoreException(IdempotencyStoreFault.Full, "planned"));
        IdempotencyResult next = await kit.PassUntilAsync(kit.Gate.EnterAsync(Key.ToId(), default).AsTask(), TimeSpan.FromMilliseconds(50));
        next.Status.Should().Be(IdempotencyStatus.Claimed);
    }

    [Fact]
    public async Task Another_request_under_the_same_key_is_decided_by_the_store_while_it_has_no_owner()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        TaskCompletionSource slow = new();
        int acquires = 0;
        store!.Before = operation => operation == "acquire" && Interlocked.Increment(ref acquires) == 1 ? slow.Task : Task.CompletedTask;
        Task<IdempotencyResult> first = kit.Gate.EnterAsync(Key.ToId(), Fingerprint.Of("one")).AsTask();
        (await kit.Gate.EnterAsync(Key.ToId(), Fingerprint.Of("two"))).Status.Should().Be(IdempotencyStatus.Claimed, "the store saw this one first");
        slow.SetResult();
        (await first.WaitAsync(Kit.Patience)).Status.Should().Be(IdempotencyStatus.KeyReused);
    }

    [Fact]
    public async Task A_duplicate_is_told_busy_when_not_even_the_first_is_answered_in_time()
    {
        UnrulyStore? store = null;
        using Kit kit = new(o => (o.Lease, o.AcquireTimeout) = (TimeSpan.FromMilliseconds(1500), TimeSpan.FromSeconds(60)), inner => store = new(inner));
        IdempotencyGate second = kit.NewGate(o => (o.Lease, o.AcquireTimeout) = (TimeSpan.FromMilliseconds(1500), TimeSpan.FromSeconds(1)));
        TaskCompletionSource slow = new();
        store!.Before = _ => slow.Task;
        Task<IdempotencyResult> first = second.EnterAsync(Key.ToId(), default).AsTask(), duplicate = second.EnterAsync(Key.ToId(), default).AsTask();
        IdempotencyResult told = await kit.PassUntilAsync(duplicate, TimeSpan.FromMilliseconds(100));
        told.Status.Should().BeOneOf(IdempotencyStatus.InFlight, IdempotencyStatus.StoreUnavailable);
        if (told.Status == IdempotencyStatus.InFlight) told.RetryAfter.Should().Be(TimeSpan.FromMilliseconds(500), "a third of a short lease");
        (await kit.PassUntilAsync(first, TimeSpan.FromMilliseconds(100))).Status.Should().Be(IdempotencyStatus.StoreUnavailable);
    }

    [Fact]
    public async Task What_another_kind_of_caller_has_stored_is_unreadable_here()
    {
        using Kit kit = new();
        await (await kit.Gate.EnterAsync(Key.ToId(), default)).Claim!.CompleteAsync(IdempotencyPayloadKind.HttpResponse, "a response"u8.ToArray());
        Outcome<int> outcome = await Pipeline(kit.Gate).TryExecuteAsync(With(), static (_, _) => new ValueTask<int>(1), 0);
        outcome.Rejection.Should().BeOfType<IdempotencyRejection>().Which.Why.Should().Be(IdempotencyRejectionReason.Unreadable);
    }

    [Theory]
    [InlineData("System.IO.IOException\nthe disk", "System.IO.IOException", "the disk")]
    [InlineData("only words", "", "only words")]
    public async Task A_recorded_error_is_repeated_as_it_was(string stored, string type, string message)
    {
        using Kit kit = new();
        await (await kit.Gate.EnterAsync(Key.ToId(), default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Error, Encoding.UTF8.GetBytes(stored));
        Outcome<int> outcome = await Pipeline(kit.Gate).TryExecuteAsync(With(), static (_, _) => new ValueTask<int>(1), 0);
        outcome.Exception.Should().BeOfType<RecordedErrorException>()
            .Which.Should().Match<RecordedErrorException>(e => e.OriginalType == type && e.Message == message);
        outcome.Verdict.Should().Be(Verdict.Ignored);
    }

    [Fact]
    public async Task A_bad_result_after_the_point_of_no_return_is_kept_as_unknown()
    {
        using Kit kit = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Classifier = OutcomeClassifier.Default.OnResult<int>(_ => Verdict.Failure) }.AddIdempotency(kit.Gate).Build();
        Outcome<int> outcome = await pipeline.TryExecuteAsync(With(), static (context, _) =>
        {
            context.TryGet(IdempotencyClaim.Property, out IdempotencyClaim? claim);
            claim!.PassPointOfNoReturn();
            return new ValueTask<int>(5);
        }, 0);
        outcome.Verdict.Should().Be(Verdict.Failure);
        IdempotencyResult again = await kit.Gate.EnterAsync(Key.ToId(), default);
        (again.Status, Encoding.UTF8.GetString(again.Content.Span)).Should().Be((IdempotencyStatus.OutcomeUnknown, "result\n"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_whose_claim_was_lost_to_one_that_still_runs_gives_what_it_has(bool isCancelled)
    {
        using Kit kit = new();
        Outcome<int> outcome = await Pipeline(kit.Gate).TryExecuteAsync(With("x"), static async (context, state) =>
        {
            context.TryGet(IdempotencyClaim.Property, out IdempotencyClaim? claim);
            await state.kit.Memory.ReleaseAsync(claim!.Id, claim.Fence);
            await state.kit.Memory.TryAcquireAsync(
                new() { Id = claim.Id, Fingerprint = claim.Fingerprint, Nonce = Guid.NewGuid(), Lease = Kit.Lease, Retention = TimeSpan.FromHours(1), MaxAttempts = 5 });
            if (!state.isCancelled) return 5;
            claim.Lose();
            context.CancellationToken.ThrowIfCancellationRequested();
            return 0;
        }, (kit, isCancelled));
        if (isCancelled) outcome.Rejection.Should().BeOfType<IdempotencyRejection>().Which.Why.Should().Be(IdempotencyRejectionReason.ClaimLost);
        else outcome.Value.Should().Be(5);
    }

    [Fact]
    public async Task The_fingerprint_may_come_from_anywhere()
    {
        using Kit kit = new();
        string asked = "one";
        ResiliencePipeline pipeline = Pipeline(kit.Gate, o => o.FingerprintFor = _ => Fingerprint.Of(asked));
        (await pipeline.ExecuteAsync(With("ignored"), static (_, _) => new ValueTask<int>(1), 0)).Should().Be(1);
        asked = "two";
        (await pipeline.TryExecuteAsync(With("ignored"), static (_, _) => new ValueTask<int>(2), 0)).Rejection
            .Should().BeOfType<IdempotencyRejection>().Which.Why.Should().Be(IdempotencyRejectionReason.KeyReused);
        (await Pipeline(kit.Gate).TryExecuteAsync(With(), static (_, _) => new ValueTask<int>(2), 0))
            .IsSuccess.Should().BeFalse("no fingerprint is another one than that of the first");
    }

    [Fact]
    public async Task A_store_that_throws_where_it_should_answer_is_a_store_that_cannot_be_asked()
    {
        using IdempotencyGate gate = new(new ThrowingStore(static () => new FormatException("planned"), isImmediate: true));
        (await gate.EnterAsync(Key.ToId(), default))
            .Should().Match<IdempotencyResult>(e => e.Status == IdempotencyStatus.StoreUnavailable && e.Error!.InnerException is FormatException);
        using IdempotencyGate plain = new();
        plain.Store.Traits.Name.Should().Be("memory");
        default(IdempotencyKey).ToString().Should().Be("no key");
    }
}
