using Resilience.Idempotency;
using static Resilience.Testing.Case;

namespace Resilience.Testing;

/// <summary>What time does to records.</summary>
internal static class TimeLaws
{
    internal static IdempotencyStoreLaw[] All() =>
    [
        Law("A lapsed claim is taken over, with a larger fence and as the next attempt", async c =>
        {
            long first = await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.InFlight, when: "Before the lease had ended, a claim").ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            AcquireResult next = await c.AskAsync().ConfigureAwait(false);
            Case.Demand(next is { Status: AcquireStatus.Acquired, Attempt: 2, TookOver: true }, $"It was answered with {next.Status}, attempt {next.Attempt}.");
            Case.Demand(next.Fence > first, $"The fence went from {first} to {next.Fence}.");
        }),
        Law("Who is late but was not replaced completes", async c =>
        {
            long fence = await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            Case.Demand(await c.CompleteAsync(fence, Mine).ConfigureAwait(false), "No caller had taken over, and the result was rejected.");
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("Who is late but was not replaced renews", async c =>
        {
            long fence = await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            Case.Demand(await c.RenewAsync(fence).ConfigureAwait(false), "No caller had taken over, and the renewal was rejected.");
            await c.ExpectAsync(AcquireStatus.InFlight).ConfigureAwait(false);
        }),
        Law("A completed record says how long it is still kept, or nothing, and never more", async c =>
        {
            TimeSpan kept = 4 * c.ShortLease, tolerance = c.ShortLease / 4;
            await c.CompleteAsync(await c.AcquireAsync().ConfigureAwait(false), Mine, retention: kept).ConfigureAwait(false);
            AcquireResult early = await c.AskAsync().ConfigureAwait(false);
            await c.Subject.PassAsync(c.ShortLease).ConfigureAwait(false);
            AcquireResult late = await c.AskAsync().ConfigureAwait(false);
            Case.Demand(early.KeptFor >= TimeSpan.Zero && early.KeptFor <= kept + tolerance, $"It says {early.KeptFor} of at most {kept}.");
            bool isTrue = late.Status != AcquireStatus.Completed || late.KeptFor <= kept - c.ShortLease + tolerance;
            Case.Demand(isTrue, $"When {c.ShortLease} of {kept} had passed it said {late.KeptFor}.");
        }),
        Law("A renewed claim is not taken over", async c =>
        {
            // The last renewal is a long one: a store on a slow disk may take longer than a short lease to answer the claim after it.
            long fence = await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
            for (int i = 0; i < 6; i++)
            {
                await c.Subject.PassAsync(c.ShortLease / 4).ConfigureAwait(false);
                Case.Demand(await c.RenewAsync(fence, i < 5 ? c.ShortLease : null).ConfigureAwait(false), $"Renewal {i} was rejected.");
            }

            await c.LapseAsync().ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.InFlight, when: "After six renewals, a claim").ConfigureAwait(false);
        }),
        Law("A renewal sets the lease, from now", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.RenewAsync(fence, c.ShortLease).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.Acquired, when: "After a shorter lease had ended, a claim").ConfigureAwait(false);
        }),
        Law("A live claim does not expire, however short its retention", async c =>
        {
            long fence = await c.AcquireAsync(c.ShortLease, retention: c.ShortLease).ConfigureAwait(false);
            Case.Demand(await c.RenewAsync(fence).ConfigureAwait(false), "The renewal was rejected.");
            await c.LapseAsync().ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.InFlight, when: "After the retention, but within the lease, a claim").ConfigureAwait(false);
        }),
        Law("What has expired is gone at once, and the next fence is larger", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.CompleteAsync(fence, Mine, retention: c.ShortLease).ConfigureAwait(false);
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            Case.Demand((await c.PeekAsync().ConfigureAwait(false)).State == IdempotencyState.Absent, "It is still shown.");
            AcquireResult next = await c.AskAsync(fingerprint: Case.Other).ConfigureAwait(false);
            Case.Demand(next is { Status: AcquireStatus.Acquired, Attempt: 1 }, $"It was answered with {next.Status}, attempt {next.Attempt}.");
            Case.Demand(next.Fence > fence, $"The fence went from {fence} to {next.Fence}.");
            Case.Demand(!await c.CompleteAsync(fence, Mine).ConfigureAwait(false), "The owner of the expired record completed the new one.");
        }),
        Law("After an expired record was purged, the next fence is larger all the same", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.CompleteAsync(fence, Mine, retention: c.ShortLease).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            while (await c.Store.PurgeAsync(1000).ConfigureAwait(false) > 0)
            {
                // until nothing is left that has expired
            }

            Case.Demand(await c.AcquireAsync().ConfigureAwait(false) > fence, "The fence began anew.");
        }),
        Law("A completed record is kept until its retention has passed", async c =>
        {
            await c.CompleteAsync(await c.AcquireAsync(c.ShortLease).ConfigureAwait(false), Mine).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("After as many lapsed claims as are allowed, no caller begins again", async c =>
        {
            for (int attempt = 1; attempt <= 2; attempt++)
            {
                AcquireResult answer = await c.AskAsync(c.ShortLease, maxAttempts: 2).ConfigureAwait(false);
                Case.Demand(answer.Status == AcquireStatus.Acquired && answer.Attempt == attempt, $"Attempt {attempt}: {answer.Status}, {answer.Attempt}.");
                await c.LapseAsync().ConfigureAwait(false);
            }

            AcquireResult last = await c.AskAsync(maxAttempts: 2).ConfigureAwait(false);
            Case.Demand(last.Status == AcquireStatus.Abandoned, $"The third was answered with {last.Status}.");
        }),
        Law("An abandoned claim is still its owner's to complete", async c =>
        {
            long fence = await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            AcquireResult other = await c.AskAsync(maxAttempts: 1).ConfigureAwait(false);
            Case.Demand(other.Status == AcquireStatus.Abandoned, $"With one attempt allowed, the second was answered with {other.Status}.");
            Case.Demand(await c.CompleteAsync(fence, Mine).ConfigureAwait(false), "The result was rejected.");
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("A purge removes what has expired and nothing else", async c =>
        {
            Case live = new(c.Subject, c.Store), lapsed = new(c.Subject, c.Store), kept = new(c.Subject, c.Store);
            long liveFence = await live.AcquireAsync().ConfigureAwait(false);
            long lapsedFence = await lapsed.AcquireAsync(c.ShortLease).ConfigureAwait(false);
            await kept.CompleteAsync(await kept.AcquireAsync().ConfigureAwait(false), Mine).ConfigureAwait(false);
            await c.CompleteAsync(await c.AcquireAsync().ConfigureAwait(false), Mine, retention: c.ShortLease).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            IIdempotencyStore second = await c.Subject.OpenAsync().ConfigureAwait(false);
            await Task.WhenAll(
                c.Store.PurgeAsync(1000).AsTask(), second.PurgeAsync(1000).AsTask(), c.Store.PurgeAsync(1000).AsTask(),
                    second.PurgeAsync(1000).AsTask()).ConfigureAwait(false);
            await kept.ExpectPayloadAsync(Mine).ConfigureAwait(false);
            Case.Demand(await live.RenewAsync(liveFence).ConfigureAwait(false), "A live claim was purged.");
            Case.Demand(await lapsed.CompleteAsync(lapsedFence, Mine).ConfigureAwait(false), "A claim that had lapsed but not expired was purged.");
            Case.Demand((await c.PeekAsync().ConfigureAwait(false)).State == IdempotencyState.Absent, "An expired record is still there.");
        }),
        Law("A purge removes no more than it was told to", async c =>
        {
            for (int i = 0; i < 5; i++)
            {
                Case one = new(c.Subject, c.Store);
                await one.CompleteAsync(await one.AcquireAsync().ConfigureAwait(false), Mine, retention: c.ShortLease).ConfigureAwait(false);
            }

            await c.LapseAsync().ConfigureAwait(false);
            int removed = await c.Store.PurgeAsync(2).ConfigureAwait(false);
            Case.Demand(removed <= 2, $"It removed {removed} instead of 2.");
        }),
    ];
}
