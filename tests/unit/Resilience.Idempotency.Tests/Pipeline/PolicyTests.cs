using System.Text.Json.Serialization;

namespace Resilience.Idempotency.Tests.Pipeline;

public sealed record Receipt(string Number, decimal Amount);

[JsonSerializable(typeof(Receipt))]
internal sealed partial class ReceiptJson : JsonSerializerContext;

/// <summary>The policy in a pipeline.</summary>
public sealed class PolicyTests : IDisposable
{
    private static readonly IdempotencyKey Key = new("shop", "order-1");

    private readonly Kit _kit = new();
    private int _executions;

    public void Dispose() => _kit.Dispose();

    private ResiliencePipeline NewPipeline(Action<IdempotencyPolicyOptions>? configure = null, IdempotencyGate? gate = null,
        Action<ResiliencePipelineBuilder>? inside = null)
    {
        IdempotencyPolicyOptions options = new() { Serializer = new JsonIdempotencySerializer(ReceiptJson.Default) };
        configure?.Invoke(options);
        ResiliencePipelineBuilder builder = new() { TimeProvider = _kit.Time };
        builder.AddIdempotency(gate ?? _kit.Gate, options);
        inside?.Invoke(builder);
        return builder.Build();
    }

    private static CallOptions With(IdempotencyKey key, string asked = "x") => new("charge")
    {
        Properties = new CallProperties().With(IdempotencyKey.Property, key).With(Fingerprint.Property, Fingerprint.Of(asked)),
    };

    private static ValueTask<Outcome<T>> RunAsync<T>(
        ResiliencePipeline pipeline, Func<ResilienceContext, ValueTask<T>> call, string asked = "x", IdempotencyKey? key = null, CancellationToken stop = default) =>
        pipeline.TryExecuteAsync(With(key ?? Key, asked), static (context, call) => call(context), call, stop);

    private ValueTask<Receipt> Charge(ResilienceContext context) => new(new Receipt($"R{++_executions}", 12.5m));

    [Fact]
    public async Task A_retried_buy_now_charges_once_and_returns_the_first_receipt()
    {
        ResiliencePipeline pipeline = NewPipeline();

        Outcome<Receipt> first = await RunAsync(pipeline, Charge), again = await RunAsync(pipeline, Charge);

        _executions.Should().Be(1);
        again.Value.Should().Be(first.Value).And.NotBeSameAs(first.Value);
    }

    [Fact]
    public void A_synchronous_call_is_executed_once_on_the_thread_of_its_caller()
    {
        using IdempotencyGate gate = _kit.NewGate(store: new Slow(_kit.Store));
        ResiliencePipeline pipeline = NewPipeline(gate: gate);
        int here = Environment.CurrentManagedThreadId, executed = 0;
        Receipt Run() => pipeline.Execute(
            With(Key), (_, _) => new Receipt($"R{++_executions}", executed = Environment.CurrentManagedThreadId), 0);

        Receipt first = Run(), again = Run();

        (_executions, executed).Should().Be((1, here));
        again.Should().Be(first);
    }

    /// <summary>A store that answers on another thread.</summary>
    private sealed class Slow(IIdempotencyStore inner) : Resilience.Tests.ForwardingStore(inner)
    {
        public override async ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            return await base.TryAcquireAsync(request, cancellationToken);
        }
    }

    [Fact]
    public async Task Attempts_inside_are_one_claim()
    {
        ResiliencePipeline pipeline = NewPipeline(inside: b => b.AddRetry(new RetryOptions { MaxRetries = 2, BaseDelay = TimeSpan.FromMilliseconds(1) }));
        List<long> fences = [];
        Task<Outcome<Receipt>> running = RunAsync(pipeline, context =>
        {
            context.TryGet(IdempotencyClaim.Property, out IdempotencyClaim? claim).Should().BeTrue();
            fences.Add(claim!.Fence);
            return ++_executions < 3 ? throw new HttpRequestException("lost") : new ValueTask<Receipt>(new Receipt("R", 1));
        }).AsTask();

        (await _kit.PassUntilAsync(running, TimeSpan.FromMilliseconds(100))).IsSuccess.Should().BeTrue();
        fences.Should().HaveCount(3);
        fences.Distinct().Should().ContainSingle();
    }

    [Theory]
    [InlineData("key missing", IdempotencyRejectionReason.KeyMissing)]
    [InlineData("busy", IdempotencyRejectionReason.InFlight)]
    [InlineData("reused", IdempotencyRejectionReason.KeyReused)]
    [InlineData("unknown", IdempotencyRejectionReason.OutcomeUnknown)]
    [InlineData("unreadable", IdempotencyRejectionReason.Unreadable)]
    [InlineData("not kept", IdempotencyRejectionReason.ResultNotKept)]
    public async Task What_is_rejected_says_why(string situation, IdempotencyRejectionReason reason)
    {
        ResiliencePipeline pipeline = NewPipeline();
        if (situation is not ("key missing" or "reused"))
        {
            IdempotencyClaim claim = (await _kit.Gate.EnterAsync(Key.ToId(), Fingerprint.Of("x"))).Claim!;
            if (situation == "unknown") await claim.CompleteAsUnknownAsync();
            if (situation == "unreadable") await claim.CompleteAsync(IdempotencyPayloadKind.Value, "{no json"u8.ToArray());
            if (situation == "not kept") await claim.CompleteAsync(IdempotencyPayloadKind.DoneWithoutResult, default);
        }

        if (situation == "reused") await RunAsync(pipeline, Charge, "something else");
        int before = _executions;
        Outcome<Receipt> outcome = situation == "key missing"
            ? await pipeline.TryExecuteAsync(_ => Charge(null!))
            : await RunAsync(pipeline, Charge);

        outcome.Verdict.Should().Be(Verdict.Rejected);
        outcome.Rejection.Should().BeOfType<IdempotencyRejection>().Which.Why.Should().Be(reason);
        outcome.Exception.Should().BeOfType<IdempotencyRejectedException>().Which.Message.Should().StartWith("idempotency: ");
        (outcome.RetryAfter is not null).Should().Be(situation == "busy");
        _executions.Should().Be(before);
    }

    [Fact]
    public async Task A_call_without_a_key_runs_only_when_that_is_allowed()
    {
        ResiliencePipeline pipeline = NewPipeline(o => o.WhenKeyIsMissing = WhenKeyIsMissing.RunUnprotected);

        await pipeline.ExecuteAsync(_ => Charge(null!));
        await pipeline.ExecuteAsync(_ => Charge(null!));

        _executions.Should().Be(2);
    }

    [Fact]
    public async Task Keys_may_come_from_anywhere_and_a_finder_that_throws_executes_nothing()
    {
        ResiliencePipeline found = NewPipeline(o => o.KeyFor = context => new IdempotencyKey("shop", context.Operation!));
        CallOptions options = new("order-7");
        await found.TryExecuteAsync(options, static (context, call) => call(context), (Func<ResilienceContext, ValueTask<Receipt>>)Charge);
        await found.TryExecuteAsync(options, static (context, call) => call(context), (Func<ResilienceContext, ValueTask<Receipt>>)Charge);
        _executions.Should().Be(1);

        ResiliencePipeline broken = NewPipeline(o => o.KeyFor = _ => throw new FormatException("planned"));
        Outcome<Receipt> outcome = await RunAsync(broken, Charge);
        outcome.Exception.Should().BeOfType<FormatException>();
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task A_type_that_cannot_be_kept_is_rejected_before_anything_is_done()
    {
        Outcome<Uri> outcome = await RunAsync(NewPipeline(), _ =>
        {
            _executions++;
            return new ValueTask<Uri>(new Uri("http://x"));
        });

        outcome.Exception.Should().BeOfType<NotSupportedException>().Which.Message.Should().Contain("System.Uri").And.Contain("JsonSerializerContext");
        _executions.Should().Be(0);
    }

    [Fact]
    public async Task Calls_without_a_result_are_done_once_too()
    {
        ResiliencePipeline pipeline = NewPipeline();
        for (int i = 0; i < 3; i++)
        {
            await pipeline.ExecuteAsync(
                With(Key),
                static (_, test) =>
                {
                    test._executions++;
                    return default(ValueTask);
                },
                this);
        }

        _executions.Should().Be(1);
    }

    public static TheoryData<string, bool, IdempotencyState> Outcomes => new()
    {
        { "value", false, IdempotencyState.Completed },
        { "error", false, IdempotencyState.InFlight },
        { "argument", false, IdempotencyState.InFlight },
        { "timeout", false, IdempotencyState.InFlight },
        { "cancelled", false, IdempotencyState.InFlight },
        { "rejected", false, IdempotencyState.Absent },
        { "value", true, IdempotencyState.Completed },
        { "error", true, IdempotencyState.OutcomeUnknown },
        { "timeout", true, IdempotencyState.OutcomeUnknown },
        { "cancelled", true, IdempotencyState.OutcomeUnknown },
    };

    [Theory]
    [MemberData(nameof(Outcomes))]
    public async Task What_becomes_of_the_key_is_a_table(string completion, bool isPast, IdempotencyState state)
    {
        await RunAsync(NewPipeline(), context =>
        {
            if (isPast && context.TryGet(IdempotencyClaim.Property, out IdempotencyClaim? claim)) claim.PassPointOfNoReturn();
            return completion switch
            {
                "error" => throw new HttpRequestException("planned"),
                "argument" => throw new ArgumentException("planned"),
                "timeout" => throw new TimeoutException("planned"),
                "cancelled" => throw new OperationCanceledException("planned"),
                "rejected" => throw new ResilienceException("planned"),
                _ => new ValueTask<Receipt>(new Receipt("R", 1)),
            };
        });

        (await _kit.Memory.PeekAsync(Key.ToId())).State.Should().Be(state);
    }

    [Fact]
    public async Task The_table_can_be_changed_and_errors_that_are_kept_are_repeated_as_they_were()
    {
        ResiliencePipeline pipeline = NewPipeline(o => o.Outcomes = IdempotencyOutcomes.Default
            .On<ArgumentException>(IdempotencyDisposition.Keep)
            .OnResult<Receipt>(r => r.Amount == 0 ? IdempotencyDisposition.Release : null));
        for (int i = 0; i < 2; i++)
        {
            Outcome<Receipt> outcome = await RunAsync<Receipt>(pipeline, _ => throw new ArgumentException($"amount {++_executions}"));
            outcome.Exception!.Message.Should().Be("amount 1");
            if (i == 1) outcome.Exception.Should().BeOfType<RecordedErrorException>().Which.OriginalType.Should().Be("System.ArgumentException");
        }

        IdempotencyKey other = new("shop", "order-2");
        for (int i = 0; i < 2; i++) await RunAsync(pipeline, _ => new ValueTask<Receipt>(new Receipt($"{++_executions}", 0)), key: other);
        _executions.Should().Be(3, "a receipt over nothing is configured not to count");
    }

    [Fact]
    public async Task A_rule_that_throws_is_passed_over()
    {
        ResiliencePipeline pipeline = NewPipeline(o => o.Outcomes = IdempotencyOutcomes.Default.OnResult<Receipt>(_ => throw new FormatException("planned")));

        await RunAsync(pipeline, Charge);
        await RunAsync(pipeline, Charge);

        _executions.Should().Be(1);
    }

    [Fact]
    public async Task When_the_claim_is_lost_all_callers_receive_the_outcome_that_counts()
    {
        ResiliencePipeline pipeline = NewPipeline();
        Outcome<Receipt> late = await RunAsync(pipeline, async context =>
        {
            context.TryGet(IdempotencyClaim.Property, out IdempotencyClaim? mine);
            await _kit.Memory.ReleaseAsync(mine!.Id, mine.Fence); // as if the lease had lapsed and another caller had taken over and been faster
            IdempotencyClaim other = (await _kit.NewGate().EnterAsync(mine.Id, mine.Fingerprint)).Claim!;
            await other.CompleteAsync(IdempotencyPayloadKind.Value, "{\"Number\":\"THEIRS\",\"Amount\":1}"u8.ToArray());
            return new Receipt("MINE", 1);
        });

        late.Value.Number.Should().Be("THEIRS");
        (await RunAsync(pipeline, Charge)).Value.Number.Should().Be("THEIRS");
        _executions.Should().Be(0);
    }

    [Fact]
    public async Task The_delegate_is_cancelled_when_the_lease_is_lost()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = kit.Time }.AddIdempotency(kit.Gate).Build();
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Outcome<string>> running = RunAsync<string>(pipeline, async context =>
        {
            begun.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
            return "never";
        }).AsTask();
        await begun.Task.WaitAsync(Kit.Patience);
        store!.Before = operation => operation == "renew" ? UnrulyStore.Broken : Task.CompletedTask;

        Outcome<string> outcome = await kit.PassUntilAsync(running, TimeSpan.FromSeconds(1));

        outcome.Rejection.Should().BeOfType<IdempotencyRejection>().Which.Why.Should().Be(IdempotencyRejectionReason.ClaimLost);
    }

    [Fact]
    public async Task A_caller_that_leaves_holds_the_key_or_does_not_stop_the_call_as_configured()
    {
        using CancellationTokenSource leaving = new();
        Outcome<Receipt> left = await RunAsync(NewPipeline(), async context =>
        {
            await leaving.CancelAsync();
            context.CancellationToken.ThrowIfCancellationRequested();
            return new Receipt("R", 1);
        }, stop: leaving.Token);
        left.Verdict.Should().Be(Verdict.Ignored);
        (await _kit.Memory.PeekAsync(Key.ToId())).State.Should().Be(IdempotencyState.InFlight);

        IdempotencyKey other = new("shop", "order-2");
        using CancellationTokenSource again = new();
        Outcome<Receipt> stayed = await RunAsync(NewPipeline(o => o.IgnoreCallersCancellation = true), async context =>
        {
            await again.CancelAsync();
            context.CancellationToken.ThrowIfCancellationRequested();
            return new Receipt("R", 1);
        }, key: other, stop: again.Token);
        stayed.IsSuccess.Should().BeTrue();
        (await _kit.Memory.PeekAsync(other.ToId())).State.Should().Be(IdempotencyState.Completed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [InlineData(null)]
    public async Task After_a_crash_it_can_be_asked_whether_the_operation_was_done(bool? isDone)
    {
        ResiliencePipeline pipeline = NewPipeline(o => o.ReconcileWith<Receipt>((claim, _) =>
        {
            claim.TookOver.Should().BeTrue();
            return new(isDone switch
            {
                true => Reconciliation<Receipt>.Done(new("FOUND", 1)),
                false => Reconciliation<Receipt>.NotDone,
                _ => Reconciliation<Receipt>.OutcomeUnknown,
            });
        }));
        (await _kit.NewGate().EnterAsync(Key.ToId(), Fingerprint.Of("x"))).Claim!.Hold(); // crashed
        _kit.Time.Advance(Kit.Lease);

        Outcome<Receipt> outcome = await RunAsync(pipeline, Charge), again = await RunAsync(pipeline, Charge);

        _executions.Should().Be(isDone == false ? 1 : 0);
        if (isDone is null) again.Rejection.Should().BeOfType<IdempotencyRejection>().Which.Why.Should().Be(IdempotencyRejectionReason.OutcomeUnknown);
        else again.Value.Should().Be(outcome.Value);
    }

    [Fact]
    public async Task A_question_about_the_crash_that_fails_executes_nothing()
    {
        ResiliencePipeline pipeline = NewPipeline(o => o.ReconcileWith<Receipt>((_, _) => throw new HttpRequestException("planned")));
        (await _kit.NewGate().EnterAsync(Key.ToId(), Fingerprint.Of("x"))).Claim!.Hold();
        _kit.Time.Advance(Kit.Lease);

        (await RunAsync(pipeline, Charge)).Exception.Should().BeOfType<HttpRequestException>();
        _executions.Should().Be(0);
        (await _kit.Memory.PeekAsync(Key.ToId())).State.Should().Be(IdempotencyState.InFlight, "the key is held");
    }

    [Fact]
    public async Task A_result_that_cannot_be_written_is_done_all_the_same()
    {
        ResiliencePipeline pipeline = NewPipeline(o => o.Serializer = new Broken());

        (await RunAsync(pipeline, Charge)).IsSuccess.Should().BeTrue();
        (await RunAsync(pipeline, Charge)).Rejection.Should().BeOfType<IdempotencyRejection>().Which.Why.Should().Be(IdempotencyRejectionReason.ResultNotKept);
        _executions.Should().Be(1);
    }

    private sealed class Broken : IIdempotencySerializer
    {
        public bool CanSerialize(Type type) => true;

        public void Serialize<T>(System.Buffers.IBufferWriter<byte> destination, T value) => throw new FormatException("planned");

        public T Deserialize<T>(ReadOnlySpan<byte> bytes) => throw new FormatException("planned");
    }

    [Fact]
    public void The_policy_describes_itself_and_wrong_options_are_named()
    {
        NewPipeline().Describe().ToString().Should().Contain("Idempotency").And.Contain("lease");
        NewPipeline().Find<IdempotencyGate>().Should().BeSameAs(_kit.Gate);
        Func<ResiliencePipeline> build = () => NewPipeline(o => o.Serializer = null!);
        build.Should().Throw<ResilienceOptionsException>().Which.Problems.Should().ContainSingle(p => p.Option == "Serializer");
    }

    [Fact]
    public void A_retry_around_the_idempotency_is_warned_of()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry().AddIdempotency(_kit.Gate).Build();

        pipeline.Warnings.Should().Contain(w => w.Code == "RES010");
    }
}
