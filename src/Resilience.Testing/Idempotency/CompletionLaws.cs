using System.Security.Cryptography;
using Resilience.Idempotency;
using static Resilience.Testing.Case;

namespace Resilience.Testing;

/// <summary>How claims end.</summary>
internal static class CompletionLaws
{
    internal static IdempotencyStoreLaw[] All() =>
    [
        Law("A payload comes back byte for byte", async c =>
        {
            foreach (byte[] payload in new byte[][] { [], [0], [0, 0, 255, 0], "\"\\'%_\r\n\u00e9"u8.ToArray(),
                RandomNumberGenerator.GetBytes(Math.Min(1 << 20, c.Store.Traits.MaxPayloadBytes)) })
            {
                Case one = new(c.Subject, c.Store);
                Case.Demand(await one.CompleteAsync(await one.AcquireAsync().ConfigureAwait(false), payload).ConfigureAwait(false), "The claim was lost.");
                await one.ExpectPayloadAsync(payload).ConfigureAwait(false);
            }
        }),
        Law("A payload may be changed by its owner after the call", async c =>
        {
            byte[] payload = [7, 7, 7];
            await c.CompleteAsync(await c.AcquireAsync().ConfigureAwait(false), payload).ConfigureAwait(false);
            payload[1] = 0;
            await c.ExpectPayloadAsync([7, 7, 7]).ConfigureAwait(false);
        }),
        Law("A payload that is too large is rejected, and the claim stands", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            byte[] large = new byte[c.Store.Traits.MaxPayloadBytes + 1];
            await Case.DemandThrowsAsync<ArgumentException>(() => c.CompleteAsync(fence, large).AsTask(), "It was taken.").ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.InFlight).ConfigureAwait(false);
            Case.Demand(await c.CompleteAsync(fence, Mine).ConfigureAwait(false), "The claim was lost.");
        }),
        Law("To complete again says yes and changes nothing", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            Case.Demand(await c.CompleteAsync(fence, Mine).ConfigureAwait(false), "The claim was lost.");
            Case.Demand(await c.CompleteAsync(fence, Theirs).ConfigureAwait(false), "The second time, the same claim was lost.");
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("An outcome is not turned into another one", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.CompleteAsync(fence, Mine).ConfigureAwait(false);
            Case.Demand(!await c.CompleteAsync(fence, Theirs, IdempotencyCompletion.OutcomeUnknown).ConfigureAwait(false), "What was done became unknown.");
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("An unknown outcome is kept as such", async c =>
        {
            await c.CompleteAsync(await c.AcquireAsync().ConfigureAwait(false), Mine, IdempotencyCompletion.OutcomeUnknown).ConfigureAwait(false);
            await c.ExpectPayloadAsync(Mine, IdempotencyCompletion.OutcomeUnknown).ConfigureAwait(false);
            PeekResult seen = await c.PeekAsync().ConfigureAwait(false);
            Case.Demand(seen.State == IdempotencyState.OutcomeUnknown, $"A look shows {seen.State}.");
        }),
        Law("A result is never released", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.CompleteAsync(fence, Mine).ConfigureAwait(false);
            Case.Demand(!await c.ReleaseAsync(fence).ConfigureAwait(false), "A completed operation was given back.");
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("A released id is free for any fingerprint, with a larger fence and from the first attempt", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            Case.Demand(await c.ReleaseAsync(fence).ConfigureAwait(false), "The claim was lost.");
            Case.Demand((await c.PeekAsync().ConfigureAwait(false)).State == IdempotencyState.Absent, "A released id still shows something.");
            AcquireResult next = await c.AskAsync(fingerprint: Case.Other).ConfigureAwait(false);
            Case.Demand(next is { Status: AcquireStatus.Acquired, Attempt: 1 }, $"It was answered with {next.Status}, attempt {next.Attempt}.");
            Case.Demand(next.Fence > fence, $"The fence went from {fence} to {next.Fence}.");
        }),
        Law("To release again says yes, until another caller has it", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            Case.Demand(await c.ReleaseAsync(fence).ConfigureAwait(false) && await c.ReleaseAsync(fence).ConfigureAwait(false), "The second time it was lost.");
            await c.AcquireAsync().ConfigureAwait(false);
            Case.Demand(!await c.ReleaseAsync(fence).ConfigureAwait(false), "It was released under the feet of the next.");
            await c.ExpectAsync(AcquireStatus.InFlight).ConfigureAwait(false);
        }),
        Law("Who holds nothing changes nothing", async c =>
        {
            Case.Demand(!await c.CompleteAsync(1, Mine).ConfigureAwait(false), "An id that was never claimed was completed.");
            Case.Demand(!await c.ReleaseAsync(1).ConfigureAwait(false), "An id that was never claimed was released.");
            Case.Demand(!await c.RenewAsync(1).ConfigureAwait(false), "An id that was never claimed was renewed.");
            await c.ExpectAsync(AcquireStatus.Acquired, when: "An id that was never claimed").ConfigureAwait(false);
        }),
        Law("A released claim cannot be completed or renewed", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.ReleaseAsync(fence).ConfigureAwait(false);
            Case.Demand(!await c.CompleteAsync(fence, Mine).ConfigureAwait(false), "It was completed.");
            Case.Demand(!await c.RenewAsync(fence).ConfigureAwait(false), "It was renewed.");
            await c.ExpectAsync(AcquireStatus.Acquired).ConfigureAwait(false);
        }),
        Law("A completed claim cannot be renewed", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.CompleteAsync(fence, Mine).ConfigureAwait(false);
            Case.Demand(!await c.RenewAsync(fence).ConfigureAwait(false), "It was renewed.");
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("After a takeover, the former owner completes nothing", async c =>
        {
            (long old, long now) = await TakeOverAsync(c).ConfigureAwait(false);
            Case.Demand(!await c.CompleteAsync(old, Mine).ConfigureAwait(false), "A stale completion was taken.");
            await c.ExpectAsync(AcquireStatus.InFlight).ConfigureAwait(false);
            Case.Demand(await c.CompleteAsync(now, Theirs).ConfigureAwait(false), "The successor lost its claim.");
            Case.Demand(!await c.CompleteAsync(old, Mine).ConfigureAwait(false), "A stale completion was taken after the successor's.");
            await c.ExpectPayloadAsync(Theirs).ConfigureAwait(false);
        }),
        Law("After a takeover, the former owner releases nothing", async c =>
        {
            (long old, long now) = await TakeOverAsync(c).ConfigureAwait(false);
            Case.Demand(!await c.ReleaseAsync(old).ConfigureAwait(false), "A stale release was taken.");
            await c.ExpectAsync(AcquireStatus.InFlight).ConfigureAwait(false);
            Case.Demand(await c.RenewAsync(now).ConfigureAwait(false), "The successor lost its claim.");
        }),
        Law("After a takeover, the former owner renews nothing", async c =>
        {
            (long old, _) = await TakeOverAsync(c, c.ShortLease).ConfigureAwait(false);
            Case.Demand(!await c.RenewAsync(old).ConfigureAwait(false), "A stale renewal was taken.");
            await c.LapseAsync().ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.Acquired, when: "After the successor's own lease had ended, the claim").ConfigureAwait(false);
        }),
        Law("Outcomes that make no sense are rejected before anything is written", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await Case.DemandThrowsAsync<ArgumentException>(() => c.CompleteAsync(fence, Mine, IdempotencyCompletion.None).AsTask(),
                "No outcome was taken.").ConfigureAwait(false);
            await Case.DemandThrowsAsync<ArgumentException>(
                () => c.CompleteAsync(fence, Mine, retention: TimeSpan.Zero).AsTask(), "No retention was taken.").ConfigureAwait(false);
            await Case.DemandThrowsAsync<ArgumentException>(() => c.RenewAsync(fence, TimeSpan.Zero).AsTask(), "No lease was taken.").ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.InFlight).ConfigureAwait(false);
        }),
    ];

    private static async Task<(long Old, long Now)> TakeOverAsync(Case c, TimeSpan? lease = null)
    {
        long old = await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
        await c.LapseAsync().ConfigureAwait(false);
        return (old, await c.AcquireAsync(lease).ConfigureAwait(false));
    }
}
