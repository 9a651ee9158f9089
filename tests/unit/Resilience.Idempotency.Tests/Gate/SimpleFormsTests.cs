namespace Resilience.Idempotency.Tests.Gate;

/// <summary>Create-or-return-existing, and messages that are delivered more than once.</summary>
public sealed class SimpleFormsTests : IDisposable
{
    private readonly Kit _kit = new();
    private int _executions;

    public void Dispose() => _kit.Dispose();

    private static IdempotencyKey Message(string id) => new("billing-consumer", id);

    [Fact]
    public async Task A_value_says_whether_it_was_created_now_or_is_a_replay()
    {
        using IdempotencyGate other = _kit.NewGate();
        (await _kit.Gate.GetOrAddWithOriginAsync(Message("o"), (_, _) => new ValueTask<int>(7))).Should().Be(new IdempotentValue<int>(7, false));
        (await _kit.Gate.GetOrAddWithOriginAsync<int>(Message("o"), (_, _) => throw new InvalidOperationException("again")))
            .Should().Be(new IdempotentValue<int>(7, true));
        (await other.GetOrAddWithOriginAsync<int>(Message("o"), (_, _) => throw new InvalidOperationException("again")))
            .Should().Be(new IdempotentValue<int>(7, true));

        // Both create: the one that lost its lease receives what the other one recorded, which may be an equal value.
        IdempotentValue<int> late = await _kit.Gate.GetOrAddWithOriginAsync(Message("p"), async (_, _) =>
        {
            _kit.Gate.Dispose(); // renews no more
            _kit.Time.Advance(2 * Kit.Lease);
            (await other.GetOrAddWithOriginAsync(Message("p"), (_, _) => new ValueTask<int>(5), cancellationToken: CancellationToken.None))
                .Should().Be(new IdempotentValue<int>(5, false));
            return 5;
        });
        late.Should().Be(new IdempotentValue<int>(5, true));
        await FluentActions.Awaiting(() => other.GetOrAddWithOriginAsync<int>(Message("q"), null!).AsTask()).Should().ThrowAsync<ArgumentNullException>();
    }

    [Fact]
    public async Task What_was_created_under_a_key_is_returned()
    {
        async ValueTask<string> Create(IdempotencyClaim claim, CancellationToken stop)
        {
            await Task.Yield();
            return $"created {++_executions}";
        }

        (await _kit.Gate.GetOrAddAsync(Message("1"), Create)).Should().Be("created 1");
        (await _kit.Gate.GetOrAddAsync(Message("1"), Create)).Should().Be("created 1");
        (await _kit.Gate.GetOrAddAsync(Message("2"), Create)).Should().Be("created 2");
        await FluentActions.Awaiting(() => _kit.Gate.GetOrAddAsync(Message("1"), Create, fingerprint: Fingerprint.Of("other")).AsTask())
            .Should().ThrowAsync<IdempotencyRejectedException>().Where(e => e.Why == IdempotencyRejectionReason.KeyReused);
    }

    [Fact]
    public async Task A_creation_that_surely_was_not_begun_throws_and_leaves_the_key_free()
    {
        ValueTask<int> Create(IdempotencyClaim claim, CancellationToken stop) =>
            ++_executions == 1 ? throw new System.ComponentModel.DataAnnotations.ValidationException("planned") : new(_executions);

        await FluentActions.Awaiting(() => _kit.Gate.GetOrAddAsync(Message("1"), Create).AsTask())
            .Should().ThrowAsync<System.ComponentModel.DataAnnotations.ValidationException>();
        (await _kit.Gate.GetOrAddAsync(Message("1"), Create)).Should().Be(2);
    }

    [Fact]
    public async Task A_message_is_processed_once_however_often_it_is_delivered()
    {
        ValueTask Process(IdempotencyClaim claim, CancellationToken stop)
        {
            _executions++;
            return default;
        }

        (await _kit.Gate.ProcessOnceAsync(Message("1"), Process)).Should().Be(MessageResult.Processed);
        for (int i = 0; i < 5; i++) (await _kit.Gate.ProcessOnceAsync(Message("1"), Process)).Should().Be(MessageResult.SeenBefore);
        (await _kit.Gate.ProcessOnceAsync(new IdempotencyKey("mail-consumer", "1"), Process))
            .Should().Be(MessageResult.Processed, "another consumer has its own memory");
        _executions.Should().Be(2);
    }

    [Fact]
    public async Task A_message_whose_processing_failed_is_processed_again_and_one_in_progress_is_left()
    {
        int tries = 0;
        async ValueTask Process(IdempotencyClaim claim, CancellationToken stop)
        {
            if (++tries == 1) throw new FormatException("planned");
            (await _kit.Gate.ProcessOnceAsync(Message("1"), (_, _) => throw new InvalidOperationException("never"), cancellationToken: stop))
                .Should().Be(MessageResult.InFlight);
        }

        await FluentActions.Awaiting(() => _kit.Gate.ProcessOnceAsync(Message("1"), Process).AsTask()).Should().ThrowAsync<FormatException>();
        _kit.Time.Advance(TimeSpan.FromMilliseconds(1));
        (await _kit.Gate.ProcessOnceAsync(Message("1"), Process)).Should().Be(MessageResult.Processed);
    }

    [Fact]
    public async Task A_message_whose_outcome_is_unknown_is_left_to_a_person()
    {
        await FluentActions.Awaiting(() => _kit.Gate.ProcessOnceAsync(Message("1"), (claim, _) =>
        {
            claim.PassPointOfNoReturn();
            throw new FormatException("after the effect");
        }).AsTask()).Should().ThrowAsync<FormatException>();

        (await _kit.Gate.ProcessOnceAsync(Message("1"), (_, _) => throw new InvalidOperationException("never"))).Should().Be(MessageResult.OutcomeUnknown);
    }

    [Fact]
    public async Task Without_the_store_a_message_is_not_processed()
    {
        UnrulyStore store = new(_kit.Memory) { Before = _ => UnrulyStore.Broken };
        IdempotencyGate gate = _kit.NewGate(store: store);

        Task<MessageResult> processing = gate.ProcessOnceAsync(Message("1"), (_, _) => throw new InvalidOperationException("never")).AsTask();

        await FluentActions.Awaiting(() => _kit.PassUntilAsync(processing, TimeSpan.FromMilliseconds(50)))
            .Should().ThrowAsync<IdempotencyRejectedException>().Where(e => e.Why == IdempotencyRejectionReason.StoreUnavailable);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\0b")]
    [InlineData("a\nb")]
    [InlineData("half a pair: %d800")]
    [InlineData("half a pair: %dc00")]
    public void Keys_that_are_none_are_rejected(string key)
    {
        key = key.Replace("%d800", "\ud800", StringComparison.Ordinal).Replace("%dc00", "\udc00", StringComparison.Ordinal); // attributes cannot carry halves
        Func<IdempotencyKey> asKey = () => new("scope", key), asScope = () => new(key, "key");
        asKey.Should().Throw<ArgumentException>();
        asScope.Should().Throw<ArgumentException>();
        IdempotencyKey.FindProblem(key).Should().NotBeNull();
    }

    [Fact]
    public void Keys_are_told_apart_and_their_ids_are_always_as_long()
    {
        string[] parts = ["a", "b", "ab", "a\u0301", "\u00e1", "../", "{tag}", "' OR 1=1 --", "*", "A", new('k', 255), "\U0001F600", "*shared"];
        IdempotencyId[] ids = [.. parts.SelectMany(scope => parts.Select(key => new IdempotencyKey(scope, key).ToId()))];

        ids.Should().OnlyHaveUniqueItems();
        ids.Should().OnlyContain(id => id.ToHex().Length == 64);
        new IdempotencyKey("a", "bc").ToId().Should().NotBe(new IdempotencyKey("ab", "c").ToId());
        new IdempotencyKey("tenant", "secret-key").ToString().Should().HaveLength(12);
        FluentActions.Invoking(() => new IdempotencyKey("scope", new('k', 256))).Should().Throw<ArgumentException>().WithMessage("*256*255*");
        FluentActions.Invoking(() => default(IdempotencyKey).ToId()).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void Fingerprints_frame_their_parts()
    {
        Fingerprint.Of("a", "bc").Should().NotBe(Fingerprint.Of("ab", "c"));
        Fingerprint.Of("a", null).Should().NotBe(Fingerprint.Of("a", "")).And.NotBe(Fingerprint.Of("a"));
        Fingerprint.Of(new string('x', 1000) + "1").Should().NotBe(Fingerprint.Of(new string('x', 1000) + "2"));
        Fingerprint.Of("\ud800").Should().NotBe(Fingerprint.Of("\ud801"), "what is no character is still told apart");
        using FingerprintBuilder pieces = new();
        pieces.AddPiece([1, 2]).AddPiece([3]).EndPieces().Build().Should().NotBe(pieces.AddPiece([1, 2]).EndPieces().AddPiece([3]).EndPieces().Build());
        Fingerprint.FromBytes(Fingerprint.Of("a").ToArray()).Should().Be(Fingerprint.Of("a"));
    }
}
