using System.Diagnostics.Metrics;
using System.Security.Cryptography;

namespace Resilience.Idempotency.Tests;

/// <summary>The pure rules and the small parts at their edges, where a change of one sign would go unnoticed elsewhere.</summary>
[Collection("meters")] // a count of bytes must not run beside a listener of the process
public sealed class IdempotencyRulesTests
{
    private const long Now = 1_000_000;

    private static AcquireRequest Ask(TimeSpan lease, TimeSpan retention) => new()
    {
        Id = IdempotencyKey.Shared("edge").ToId(),
        Nonce = Guid.NewGuid(),
        Lease = lease,
        Retention = retention,
        MaxAttempts = 3,
    };

    private static IdempotencyRecord Held(long leaseUntil, long fence = 5) =>
        new() { State = IdempotencyRecordState.InFlight, Fence = fence, Attempt = 1, Nonce = Guid.NewGuid(), LeaseUntil = leaseUntil, ExpiresAt = long.MaxValue };

    [Fact]
    public void A_lease_ends_at_its_last_microsecond_and_not_after_it()
    {
        AcquireRequest request = Ask(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        IdempotencyRules.Acquire(Held(Now + 1), request, Now, out _).Should().Be(AcquireStatus.InFlight);
        IdempotencyRules.Acquire(Held(Now), request, Now, out IdempotencyRecord taken).Should().Be(AcquireStatus.Acquired);
        taken.Attempt.Should().Be(2);
        IdempotencyRules.Peek(Held(Now + 1), Now).State.Should().Be(IdempotencyState.InFlight);
        IdempotencyRules.Peek(Held(Now), Now).State.Should().Be(IdempotencyState.Lapsed);
    }

    [Fact]
    public void A_fence_is_the_time_or_one_more_than_before()
    {
        AcquireRequest request = Ask(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        IdempotencyRules.Acquire(default, request, Now, out IdempotencyRecord first);
        first.Fence.Should().Be(Now);
        IdempotencyRules.Acquire(Held(Now, fence: 2 * Now), request, Now, out IdempotencyRecord afterAStepBack);
        afterAStepBack.Fence.Should().Be((2 * Now) + 1);
    }

    [Fact]
    public void A_record_is_kept_for_the_longer_of_retention_and_lease()
    {
        IdempotencyRules.Acquire(default, Ask(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1)), Now, out IdempotencyRecord longLease);
        longLease.ExpiresAt.Should().Be(Now + 10_000_000);
        IdempotencyRules.Acquire(default, Ask(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10)), Now, out IdempotencyRecord longRetention);
        longRetention.ExpiresAt.Should().Be(Now + 10_000_000);
    }

    [Fact]
    public void A_released_record_remembers_its_fence_for_as_long_as_its_tombstone_stands()
    {
        IdempotencyRules.Release(Held(Now + 1), fence: 5, Now, out IdempotencyRecord released, out bool changed).Should().BeTrue();
        changed.Should().BeTrue();
        released.ExpiresAt.Should().Be(Now + IdempotencyRules.Tombstone);
        (released.Fence, released.LeaseUntil).Should().Be((5, 0));
    }

    [Fact]
    public void Pieces_are_hashed_and_framed_by_their_sum_at_the_end()
    {
        byte[] content = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];
        using FingerprintBuilder builder = new();
        byte[] framed = [.. "fp1\0"u8, .. content, .. BitConverter.GetBytes(1000L)];
        builder.AddPiece(content.AsSpan(0, 300)).AddPiece(content.AsSpan(300)).EndPieces().Build().ToArray().Should().Equal(SHA256.HashData(framed));
        Fingerprint.Property.Name.Should().Be("idempotency fingerprint");
        FluentActions.Invoking(() => Fingerprint.Of((string?[])null!)).Should().Throw<ArgumentNullException>().WithParameterName("parts");
    }

    [Fact]
    public async Task Only_a_caller_with_a_claim_may_execute_and_what_was_kept_now_is_what_it_was_kept_as()
    {
        using IdempotencyGate gate = new();
        IdempotencyResult claimed = await gate.EnterAsync(IdempotencyKey.Shared("first").ToId(), default);
        (claimed.MayExecute, claimed.Status).Should().Be((true, IdempotencyStatus.Claimed));
        claimed.Claim!.Hold();
        IdempotencyResult.KeyReused.MayExecute.Should().BeFalse();
        IdempotencyResult.KeptNow(IdempotencyCompletion.Completed, default, default).Status.Should().Be(IdempotencyStatus.Replayed);
        IdempotencyResult.KeptNow(IdempotencyCompletion.OutcomeUnknown, default, default).Status.Should().Be(IdempotencyStatus.OutcomeUnknown);
    }

    [Theory]
    [InlineData(83, IdempotencyKey.MaxLength)] // two bytes more than fit on the stack
    [InlineData(700, IdempotencyKey.MaxLength)] // more than half of a rented array
    [InlineData(IdempotencyKey.MaxScopeLength, IdempotencyKey.MaxLength)]
    public void There_is_room_for_the_widest_characters(int scopeLength, int keyLength)
    {
        IdempotencyKey key = new(new string('\u3042', scopeLength), new string('\u3042', keyLength));
        key.ToId().Should().NotBe(IdempotencyKey.Shared("x").ToId());
    }

    [Fact]
    public void What_is_wrong_with_a_key_is_reported_with_the_place()
    {
        IdempotencyKey.FindProblem("").Should().Be("is empty");
        IdempotencyKey.FindProblem("a\tb").Should().Be("has a control character at position 1");
        IdempotencyKey.FindProblem("\ud800x").Should().Be("has half a surrogate pair at position 0");
        IdempotencyKey.FindProblem("\ud83d\ude00").Should().BeNull();
        FluentActions.Invoking(() => new IdempotencyKey(null!, "x")).Should().Throw<ArgumentNullException>().WithParameterName("scope");
        FluentActions.Invoking(() => new IdempotencyKey("x", null!)).Should().Throw<ArgumentNullException>().WithParameterName("value");
        default(IdempotencyKey).ToString().Should().Be("no key");
    }

    [Fact]
    public void A_rule_that_is_missing_is_rejected_and_one_that_throws_is_counted_and_leaves_the_default()
    {
        IdempotencyOutcomes outcomes = IdempotencyOutcomes.Default;
        FluentActions.Invoking(() => outcomes.On<IOException>(null!)).Should().Throw<ArgumentNullException>().WithParameterName("rule");
        FluentActions.Invoking(() => outcomes.OnResult<int>(null!)).Should().Throw<ArgumentNullException>().WithParameterName("rule");

        List<object?> counted = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = static (instrument, l) =>
            {
                if (instrument.Name == "resilience.callback.errors") l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                lock (counted) counted.Add(tag.Value);
            }
        });
        listener.Start();
        outcomes.OnResult<int>(_ => throw new InvalidOperationException()).Judge(Outcome.Success(1), false).Should().Be(IdempotencyDisposition.Keep);
        lock (counted) counted.Should().Contain("idempotency outcome rule");
    }
}
