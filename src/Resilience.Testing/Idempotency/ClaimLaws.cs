using Resilience.Idempotency;
using static Resilience.Testing.Case;

namespace Resilience.Testing;

/// <summary>Who may claim what.</summary>
internal static class ClaimLaws
{
    internal static IdempotencyStoreLaw[] All() =>
    [
        Law("A free id is acquired, as the first attempt", async c =>
        {
            AcquireResult answer = await c.AskAsync().ConfigureAwait(false);
            Case.Demand(answer is { Status: AcquireStatus.Acquired, Fence: > 0, Attempt: 1, TookOver: false }, $"The answer was {answer}.");
        }),
        Law("A held id is in flight, with a time to come back that is not longer than the lease", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            AcquireResult answer = await c.AskAsync().ConfigureAwait(false);
            Case.Demand(answer.Status == AcquireStatus.InFlight, $"The second was answered with {answer.Status}.");
            Case.Demand(answer.RetryAfter > TimeSpan.Zero && answer.RetryAfter <= LongLease, $"It may come back after {answer.RetryAfter}.");
            Case.Demand(answer.Fence == fence, "The fence shown is not the holder's.");
        }),
        Law("Another fingerprint on a held id is a mismatch", async c =>
        {
            await c.AcquireAsync().ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.Mismatch, Case.Other).ConfigureAwait(false);
        }),
        Law("Another fingerprint on a completed id is a mismatch, and receives no payload", async c =>
        {
            await c.CompleteAsync(await c.AcquireAsync().ConfigureAwait(false), "secret"u8.ToArray()).ConfigureAwait(false);
            AcquireResult answer = await c.AskAsync(fingerprint: Case.Other).ConfigureAwait(false);
            Case.Demand(answer.Status == AcquireStatus.Mismatch, $"It was answered with {answer.Status}.");
            Case.Demand(answer.Payload.IsEmpty, "It received the payload of another request.");
        }),
        Law("Another fingerprint takes nothing over", async c =>
        {
            await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.Mismatch, Case.Other).ConfigureAwait(false);
        }),
        Law("Ids are apart, also with the same fingerprint", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            IdempotencyId neighbour = Case.NewId();
            AcquireResult other = await c.Store.TryAcquireAsync(Case.Request(neighbour, Case.This, LongLease)).ConfigureAwait(false);
            Case.Demand(other.Status == AcquireStatus.Acquired, $"The other id was answered with {other.Status}.");
            Case.Demand(await c.Store.CompleteAsync(neighbour, other.Fence, IdempotencyCompletion.Completed, "x"u8.ToArray(),
                Retention).ConfigureAwait(false), "It was lost.");
            await c.ExpectAsync(AcquireStatus.InFlight, when: "An id whose neighbour was completed").ConfigureAwait(false);
            Case.Demand(await c.RenewAsync(fence).ConfigureAwait(false), "The claim was lost because of another id.");
        }),
        Law("The same nonce receives the same claim again", async c =>
        {
            AcquireRequest request = Case.Request(c.Id, Case.This, LongLease);
            AcquireResult first = await c.Store.TryAcquireAsync(request).ConfigureAwait(false);
            AcquireResult again = await c.Store.TryAcquireAsync(request).ConfigureAwait(false);
            Case.Demand(again == first, $"The same question was answered with {again.Status}, fence {again.Fence} instead of {first.Fence}.");
        }),
        Law("The same nonce begins the lease anew", async c =>
        {
            AcquireRequest request = Case.Request(c.Id, Case.This, c.ShortLease);
            await c.Store.TryAcquireAsync(request).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            AcquireResult again = await c.Store.TryAcquireAsync(request with { Lease = LongLease }).ConfigureAwait(false);
            Case.Demand(again is { Status: AcquireStatus.Acquired, Attempt: 1 }, $"The answer was {again.Status}, attempt {again.Attempt}.");
            await c.ExpectAsync(AcquireStatus.InFlight).ConfigureAwait(false);
        }),
        Law("The nonce of a completed claim receives the outcome, not the claim", async c =>
        {
            AcquireRequest request = Case.Request(c.Id, Case.This, LongLease);
            AcquireResult first = await c.Store.TryAcquireAsync(request).ConfigureAwait(false);
            await c.CompleteAsync(first.Fence, default).ConfigureAwait(false);
            AcquireResult again = await c.Store.TryAcquireAsync(request).ConfigureAwait(false);
            Case.Demand(again.Status == AcquireStatus.Completed, $"It was answered with {again.Status}.");
        }),
        Law("The nonce of a claim that was taken over does not get it back", async c =>
        {
            AcquireRequest request = Case.Request(c.Id, Case.This, c.ShortLease);
            await c.Store.TryAcquireAsync(request).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            await c.AcquireAsync().ConfigureAwait(false);
            AcquireResult again = await c.Store.TryAcquireAsync(request).ConfigureAwait(false);
            Case.Demand(again.Status == AcquireStatus.InFlight, $"It was answered with {again.Status}.");
        }),
        Law("Claims that make no sense are rejected before anything is written", async c =>
        {
            AcquireRequest good = Case.Request(c.Id, Case.This, LongLease);
            AcquireRequest[] bad =
            [
                good with { Nonce = Guid.Empty }, good with { Lease = TimeSpan.Zero }, good with { Lease = TimeSpan.FromSeconds(-1) },
                good with { Retention = TimeSpan.Zero }, good with { MaxAttempts = 0 },
            ];
            foreach (AcquireRequest request in bad)
                await Case.DemandThrowsAsync<ArgumentException>(() => c.Store.TryAcquireAsync(request).AsTask(), $"{request} was taken.").ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.Acquired, when: "An id that could not be claimed").ConfigureAwait(false);
        }),
        Law("A cancelled claim is granted or not, and says nothing", async c =>
        {
            await Case.DemandThrowsAsync<OperationCanceledException>(
                () => c.Store.TryAcquireAsync(Case.Request(c.Id, Case.This, LongLease), new(canceled: true)).AsTask(),
                    "It was answered.").ConfigureAwait(false);
            AcquireResult next = await c.AskAsync().ConfigureAwait(false);
            Case.Demand(next.Status is AcquireStatus.Acquired or AcquireStatus.InFlight, $"Afterwards the id was {next.Status}.");
        }),
        Law("A look changes nothing", async c =>
        {
            Case.Demand(await c.PeekAsync().ConfigureAwait(false) == default, "A free id shows something.");
            await c.ExpectAsync(AcquireStatus.Acquired, when: "An id that was only looked at").ConfigureAwait(false);
        }),
        Law("A look shows state and fence", async c =>
        {
            long fence = await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
            PeekResult held = await c.PeekAsync().ConfigureAwait(false);
            Case.Demand(held.State == IdempotencyState.InFlight && held.Fence == fence, $"A held id shows {held}.");
            Case.Demand(held.RetryAfter > TimeSpan.Zero && held.RetryAfter <= c.ShortLease, $"A held id shows {held}.");
            await c.LapseAsync().ConfigureAwait(false);
            PeekResult lapsed = await c.PeekAsync().ConfigureAwait(false);
            Case.Demand(lapsed.State == IdempotencyState.Lapsed && lapsed.Fence == fence, $"A lapsed id shows {lapsed}.");
            await c.CompleteAsync(fence, default).ConfigureAwait(false);
            PeekResult done = await c.PeekAsync().ConfigureAwait(false);
            Case.Demand(done.State == IdempotencyState.Completed && done.Fence == fence, $"A completed id shows {done}.");
        }),
        Law("What is no record is reported, and never acquired", async c =>
        {
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.CompleteAsync(fence, "receipt"u8.ToArray()).ConfigureAwait(false);
            if (!await c.Subject.TryCorruptAsync(c.Id).ConfigureAwait(false)) return;
            try
            {
                AcquireResult answer = await c.AskAsync().ConfigureAwait(false);
                Case.Demand(answer.Status != AcquireStatus.Acquired, "A damaged record was given away as if there were none.");
                throw new ContractViolationException($"A damaged record was answered with {answer.Status} instead of an exception.");
            }
            catch (IdempotencyStoreException corrupt)
            {
                Case.Demand(corrupt.Fault == IdempotencyStoreFault.Corrupt, $"The fault is {corrupt.Fault}.");
            }
        }),
    ];
}
