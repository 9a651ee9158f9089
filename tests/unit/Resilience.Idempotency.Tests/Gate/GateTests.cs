namespace Resilience.Idempotency.Tests.Gate;

/// <summary>The gate: claims, replays, outcomes.</summary>
public sealed class GateTests
{
    private static readonly byte[] Receipt = "receipt"u8.ToArray();

    private static Task<IdempotencyResult> EnterAsync(IdempotencyGate gate, IdempotencyId id, string asked = "x") =>
        gate.EnterAsync(id, Fingerprint.Of(asked)).AsTask();

    [Fact]
    public async Task The_first_does_it_and_the_second_receives_what_came_of_it()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyResult first = await EnterAsync(kit.Gate, id);
        first.Status.Should().Be(IdempotencyStatus.Claimed);
        (await first.Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt)).Should().Be(IdempotencyFinish.Kept);

        IdempotencyResult second = await EnterAsync(kit.Gate, id), elsewhere = await EnterAsync(kit.NewGate(), id);

        second.Should().Match<IdempotencyResult>(e => e.Status == IdempotencyStatus.Replayed && e.Kind == IdempotencyPayloadKind.Value);
        second.Content.ToArray().Should().Equal(Receipt);
        elsewhere.Content.ToArray().Should().Equal(Receipt);
    }

    [Fact]
    public async Task While_the_first_is_executed_the_second_is_told_to_retry()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyResult first = await EnterAsync(kit.Gate, id);

        IdempotencyResult here = await EnterAsync(kit.Gate, id), elsewhere = await EnterAsync(kit.NewGate(), id);

        here.Status.Should().Be(IdempotencyStatus.InFlight);
        here.RetryAfter.Should().BePositive();
        elsewhere.Status.Should().Be(IdempotencyStatus.InFlight);
        elsewhere.RetryAfter.Should().BePositive().And.BeLessThanOrEqualTo(Kit.Lease);
        first.Claim!.Hold();
    }

    [Fact]
    public async Task The_same_key_for_something_else_is_told_apart_at_every_moment()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyResult first = await EnterAsync(kit.Gate, id, "one");

        (await EnterAsync(kit.Gate, id, "other")).Status.Should().Be(IdempotencyStatus.KeyReused);
        (await EnterAsync(kit.NewGate(), id, "other")).Status.Should().Be(IdempotencyStatus.KeyReused);
        await first.Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        IdempotencyResult after = await EnterAsync(kit.Gate, id, "other");
        after.Status.Should().Be(IdempotencyStatus.KeyReused);
        after.Content.IsEmpty.Should().BeTrue("the answer to one request is no business of another");
    }

    [Fact]
    public async Task A_released_key_is_free_at_once()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        await (await EnterAsync(kit.Gate, id)).Claim!.ReleaseAsync();

        IdempotencyResult next = await EnterAsync(kit.Gate, id, "something else");

        next.Status.Should().Be(IdempotencyStatus.Claimed);
        next.Claim!.TookOver.Should().BeFalse();
    }

    [Fact]
    public async Task A_held_key_is_free_when_its_lease_has_ended_and_the_next_knows_that_it_took_over()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyResult first = await EnterAsync(kit.Gate, id);
        first.Claim!.Hold();
        (await EnterAsync(kit.Gate, id)).Status.Should().Be(IdempotencyStatus.InFlight);

        kit.Time.Advance(Kit.Lease);
        IdempotencyResult next = await EnterAsync(kit.Gate, id);

        next.Claim!.Should().Match<IdempotencyClaim>(c => c.TookOver && c.Attempt == 2 && c.Fence > first.Claim.Fence);
    }

    [Fact]
    public async Task A_claim_that_is_dropped_is_held()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        await using (IdempotencyClaim claim = (await EnterAsync(kit.Gate, id)).Claim!)
        {
            claim.IsProtected.Should().BeTrue();
        }

        (await EnterAsync(kit.Gate, id)).Status.Should().Be(IdempotencyStatus.InFlight);
        kit.Time.Advance(Kit.Lease);
        (await EnterAsync(kit.Gate, id)).Status.Should().Be(IdempotencyStatus.Claimed);
    }

    [Fact]
    public async Task A_claim_ends_once()
    {
        using Kit kit = new();
        IdempotencyClaim claim = (await EnterAsync(kit.Gate, Kit.NewId())).Claim!;
        await claim.ReleaseAsync();

        await FluentActions.Awaiting(() => claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt).AsTask())
            .Should().ThrowAsync<InvalidOperationException>();
        FluentActions.Invoking(claim.Hold).Should().Throw<InvalidOperationException>();
        await claim.DisposeAsync();
    }

    [Fact]
    public async Task An_unknown_outcome_is_reported_and_never_begun_again()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        await (await EnterAsync(kit.Gate, id)).Claim!.CompleteAsUnknownAsync(IdempotencyPayloadKind.Error, Receipt);

        kit.Time.Advance(TimeSpan.FromHours(1));
        IdempotencyResult next = await EnterAsync(kit.Gate, id);

        next.Should().Match<IdempotencyResult>(e => e.Status == IdempotencyStatus.OutcomeUnknown && e.Kind == IdempotencyPayloadKind.Error);
    }

    [Fact]
    public async Task An_operation_that_kills_its_process_is_begun_only_so_often()
    {
        using Kit kit = new(o => o.MaxAttempts = 3);
        IdempotencyId id = Kit.NewId();
        for (int i = 1; i <= 3; i++)
        {
            IdempotencyResult entry = await EnterAsync(kit.Gate, id);
            entry.Claim!.Attempt.Should().Be(i);
            entry.Claim.Hold();
            kit.Time.Advance(Kit.Lease);
        }

        (await EnterAsync(kit.Gate, id)).Status.Should().Be(IdempotencyStatus.OutcomeUnknown);
    }

    [Fact]
    public async Task After_the_retention_it_is_a_new_operation()
    {
        using Kit kit = new(o => o.Retention = TimeSpan.FromHours(1));
        IdempotencyId id = Kit.NewId();
        await (await EnterAsync(kit.Gate, id)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        kit.Time.Advance(TimeSpan.FromHours(1) - TimeSpan.FromMilliseconds(1));
        (await EnterAsync(kit.Gate, id)).Status.Should().Be(IdempotencyStatus.Replayed);

        kit.Time.Advance(TimeSpan.FromMilliseconds(1));

        (await EnterAsync(kit.Gate, id)).Status.Should().Be(IdempotencyStatus.Claimed);
    }

    [Fact]
    public async Task A_result_that_is_too_large_is_recorded_without_itself()
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        byte[] large = new byte[kit.Store.Traits.MaxPayloadBytes];
        (await (await EnterAsync(kit.Gate, id)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, large)).Should().Be(IdempotencyFinish.Kept);

        IdempotencyResult next = await EnterAsync(kit.Gate, id);

        next.Should().Match<IdempotencyResult>(e => e.Status == IdempotencyStatus.Replayed && e.Kind == IdempotencyPayloadKind.DoneWithoutResult);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1, 2, 3 })]
    [InlineData(new byte[] { (byte)'R', (byte)'I', 2, 1, 0, 0, 0, 0, 0, 0, 0, 0 })]
    public async Task What_cannot_be_read_is_not_begun_again(byte[] stored)
    {
        using Kit kit = new();
        IdempotencyId id = Kit.NewId();
        AcquireResult claim = await kit.Store.TryAcquireAsync(new()
        {
            Id = id,
            Fingerprint = Fingerprint.Of("x"),
            Nonce = Guid.NewGuid(),
            Lease = Kit.Lease,
            Retention = Kit.Lease,
            MaxAttempts = 1,
        });
        await kit.Store.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, stored, TimeSpan.FromHours(1));

        (await EnterAsync(kit.Gate, id)).Status.Should().Be(IdempotencyStatus.Unreadable);
    }

    [Fact]
    public void Derived_keys_are_the_same_for_the_same_operation_and_purpose_only()
    {
        using Kit kit = new();
        IdempotencyClaim Claim(string key) => kit.NewGate().EnterAsync(new IdempotencyKey("shop", key).ToId(), default).AsTask().Result.Claim!;
        IdempotencyClaim first = Claim("order-1");
        first.Hold();
        kit.Time.Advance(Kit.Lease);
        IdempotencyClaim again = Claim("order-1");

        again.Fence.Should().NotBe(first.Fence);
        again.DeriveKey("charge").Should().Be(first.DeriveKey("charge")).And.MatchRegex("^[0-9a-f]{32}$");
        again.DeriveKey("mail").Should().NotBe(first.DeriveKey("charge"));
        Claim("order-2").DeriveKey("charge").Should().NotBe(first.DeriveKey("charge"));
    }

    [Fact]
    public async Task Results_are_reported_to_listeners_with_a_hash_only()
    {
        using Kit kit = new();
        IdempotencyKey key = new("tenant-7", "order-42");
        await (await kit.Gate.EnterAsync(key.ToId(), default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        await kit.Gate.EnterAsync(key.ToId(), default);

        kit.Events.OfType<IdempotencyChecked>().Select(e => e.Status).Should().Equal(IdempotencyStatus.Claimed, IdempotencyStatus.Replayed);
        kit.Events.Should().OnlyContain(e => !e.ToString().Contains("42") && !e.ToString().Contains("tenant"));
    }

    [Fact]
    public void Options_out_of_range_are_all_named()
    {
        Func<IdempotencyGate> make = () =>
            new IdempotencyGate(options: new() { Lease = TimeSpan.Zero, MaxAttempts = 0, Retention = TimeSpan.MaxValue, MaxWaiters = 0 });

        make.Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option)
            .Should().BeEquivalentTo(nameof(IdempotencyOptions.Lease), nameof(IdempotencyOptions.Retention), nameof(IdempotencyOptions.MaxAttempts),
                nameof(IdempotencyOptions.MaxWaiters));
    }
}
