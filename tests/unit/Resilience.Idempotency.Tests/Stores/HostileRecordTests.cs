namespace Resilience.Idempotency.Tests.Stores;

/// <summary>What lies in a store and was not written by this version: on every store the same, nothing is begun again.</summary>
public abstract class HostileRecordTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    protected abstract IIdempotencyStore Store { get; }

    [Fact]
    public async Task What_is_cut_changed_newer_or_not_ours_is_never_begun_again()
    {
        byte[] whole = IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "\"receipt\""u8);
        byte[] changed = [.. whole], newer = [.. whole, 1, 2, 3];
        changed[^2] ^= 1;
        newer[2] = IdempotencyPayload.Version + 1;
        byte[] otherType = IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "{\"a\":1}"u8),
            otherKind = IdempotencyPayload.Encode((IdempotencyPayloadKind)77, "x"u8);
        foreach (byte[] stored in (byte[][])[[], [0], whole[..5], whole[..^1], [.. whole, 0], changed, newer, [.. "O:8:\"stdClass\""u8], otherType, otherKind])
        {
            foreach (WhenStoreFails whenStoreFails in Enum.GetValues<WhenStoreFails>())
            {
                IdempotencyKey key = IdempotencyKey.Shared(Guid.NewGuid().ToString());
                AcquireResult claim = await Store.TryAcquireAsync(
                    new() { Id = key.ToId(), Nonce = Guid.NewGuid(), Lease = Hour, Retention = Hour, MaxAttempts = 5 });
                await Store.CompleteAsync(key.ToId(), claim.Fence, IdempotencyCompletion.Completed, stored, Hour);
                using IdempotencyGate gate = new(Store, new() { WhenStoreFails = whenStoreFails });
                bool hasRun = false;

                IdempotencyRejectedException rejected = (await FluentActions.Awaiting(() => gate.GetOrAddAsync(key, (_, _) =>
                {
                    hasRun = true;
                    return new ValueTask<string>("again");
                }).AsTask()).Should().ThrowAsync<IdempotencyRejectedException>()).Which;

                rejected.Why.Should().Be(IdempotencyRejectionReason.Unreadable, Convert.ToHexString(stored));
                hasRun.Should().BeFalse();
            }
        }
    }
}
