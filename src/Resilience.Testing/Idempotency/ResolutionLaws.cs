using Resilience.Idempotency;
using static Resilience.Testing.Case;

namespace Resilience.Testing;

/// <summary>Decisions about records whose outcome is unknown. Passed over for a store that is no <see cref="IResolvableIdempotencyStore"/>.</summary>
internal static class ResolutionLaws
{
    private static readonly IdempotencyCompletion[] Decisions =
        [IdempotencyCompletion.None, IdempotencyCompletion.Completed, IdempotencyCompletion.OutcomeUnknown];

    /// <summary>How a record comes to be in doubt.</summary>
    private static readonly Func<Case, Task<long>>[] Doubts = [BecomeUnknownAsync, LapseAsync];

    internal static IdempotencyStoreLaw[] All() =>
    [
        Law("An unknown outcome becomes the result that was decided", c => EachDoubtAsync(c, async (one, store, _) =>
        {
            await DecideAsync(one, store, IdempotencyCompletion.Completed).ConfigureAwait(false);
            await one.ExpectPayloadAsync(Theirs).ConfigureAwait(false);
            await one.ExpectAsync(AcquireStatus.Mismatch, Case.Other, "After a decision, another fingerprint").ConfigureAwait(false);
        })),
        Law("What was decided to be not done is free for any fingerprint, from the first attempt", c => EachDoubtAsync(c, async (one, store, fence) =>
        {
            await DecideAsync(one, store, IdempotencyCompletion.None).ConfigureAwait(false);
            Case.Demand((await one.PeekAsync().ConfigureAwait(false)).State == IdempotencyState.Absent, "It still shows something.");
            AcquireResult next = await one.AskAsync(fingerprint: Case.Other).ConfigureAwait(false);
            Case.Demand(next is { Status: AcquireStatus.Acquired, Attempt: 1 }, $"It was answered with {next.Status}, attempt {next.Attempt}.");
            Case.Demand(next.Fence > fence + 1, $"The fence went from {fence} over a decision to {next.Fence}.");
        })),
        Law("What was decided to stay unknown is begun no more", c => EachDoubtAsync(c, async (one, store, _) =>
        {
            await DecideAsync(one, store, IdempotencyCompletion.OutcomeUnknown).ConfigureAwait(false);
            await one.ExpectPayloadAsync(Theirs, IdempotencyCompletion.OutcomeUnknown).ConfigureAwait(false);
        })),
        Law("After a decision, the late owner completes, renews and releases nothing", c => EachDecisionAsync(c, async (one, store, late, decision) =>
        {
            ResolveResult decided = await DecideAsync(one, store, decision).ConfigureAwait(false);
            Case.Demand(decided.Fence > late, $"The fence went from {late} to {decided.Fence}.");
            foreach (IdempotencyCompletion completion in new[] { IdempotencyCompletion.Completed, IdempotencyCompletion.OutcomeUnknown })
                Case.Demand(
                    !await one.CompleteAsync(late, Mine, completion).ConfigureAwait(false), $"{completion} was taken from it, after the decision {decision}.");
            Case.Demand(!await one.RenewAsync(late).ConfigureAwait(false), $"It was renewed, after the decision {decision}.");
            Case.Demand(!await one.ReleaseAsync(late).ConfigureAwait(false), $"It was released, after the decision {decision}.");
        })),
        Law("A decision that is sent again says yes and changes nothing", c => EachDecisionAsync(c, async (one, store, _, decision) =>
        {
            ResolveRequest request = Decision(one, decision, Theirs);
            ResolveResult first = await store.ResolveRecordAsync(request).ConfigureAwait(false);
            ResolveResult again = await store.ResolveRecordAsync(
                request with { Payload = decision == IdempotencyCompletion.None ? default : Mine }).ConfigureAwait(false);
            Case.Demand(first.Status == ResolveStatus.Resolved && again == first, $"The decision {decision} was answered with {first}, then with {again}.");
            if (decision != IdempotencyCompletion.None) await one.ExpectPayloadAsync(Theirs, decision).ConfigureAwait(false);
        })),
        Law("A result is never decided away", async c =>
        {
            if (c.Store is not IResolvableIdempotencyStore store) return;
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.CompleteAsync(fence, Mine).ConfigureAwait(false);
            foreach (IdempotencyCompletion decision in Decisions) await ExpectAsync(c, store, decision, ResolveStatus.Completed, fence).ConfigureAwait(false);
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("A live claim is not decided about", async c =>
        {
            if (c.Store is not IResolvableIdempotencyStore store) return;
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            foreach (IdempotencyCompletion decision in Decisions) await ExpectAsync(c, store, decision, ResolveStatus.InFlight, fence).ConfigureAwait(false);
            Case.Demand(await c.CompleteAsync(fence, Mine).ConfigureAwait(false), "The claim was lost.");
        }),
        Law("There is nothing to decide about an id that is not held", async c =>
        {
            if (c.Store is not IResolvableIdempotencyStore store) return;
            foreach (IdempotencyCompletion decision in Decisions) await ExpectAsync(c, store, decision, ResolveStatus.Absent, 0).ConfigureAwait(false);
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            await c.ReleaseAsync(fence).ConfigureAwait(false);
            foreach (IdempotencyCompletion decision in Decisions) await ExpectAsync(c, store, decision, ResolveStatus.Absent, 0).ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.Acquired, when: "A released id").ConfigureAwait(false);
        }),
        Law("A decision about another fence changes nothing", c => EachDecisionAsync(c, async (one, store, fence, decision) =>
        {
            ResolveRequest stale = Decision(one, decision, Theirs) with { Fence = fence + 1 };
            ResolveResult answer = await store.ResolveRecordAsync(stale).ConfigureAwait(false);
            Case.Demand(answer == new ResolveResult(ResolveStatus.Changed, fence), $"It was answered with {answer}.");
            answer = await store.ResolveRecordAsync(stale with { Fence = fence }).ConfigureAwait(false);
            Case.Demand(answer.Status == ResolveStatus.Resolved, $"With the fence of the record it was answered with {answer}.");
        })),
        Law("A decision is kept for its retention from now", async c =>
        {
            if (c.Store is not IResolvableIdempotencyStore store) return;
            await BecomeUnknownAsync(c).ConfigureAwait(false);
            await store.ResolveRecordAsync(Decision(c, IdempotencyCompletion.Completed, Theirs) with { Retention = c.ShortLease }).ConfigureAwait(false);
            await c.LapseAsync().ConfigureAwait(false);
            await c.ExpectAsync(AcquireStatus.Acquired, when: "After its retention").ConfigureAwait(false);
        }),
        Law("Of two decisions at once, one counts", async c =>
        {
            if (c.Store is not IResolvableIdempotencyStore one) return;
            IResolvableIdempotencyStore other = (IResolvableIdempotencyStore)await c.Subject.OpenAsync().ConfigureAwait(false);
            for (int round = 0; round < 10; round++)
            {
                Case each = new(c.Subject, c.Store);
                await BecomeUnknownAsync(each).ConfigureAwait(false);
                ResolveResult[] answers = await Task.WhenAll(new[] { (one, Mine), (other, Theirs) }.Select(d => Task.Run(
                    async () => await d.Item1.ResolveRecordAsync(Decision(each, IdempotencyCompletion.Completed, d.Item2)).ConfigureAwait(false))))
                    .ConfigureAwait(false);
                Case.Demand(answers.Count(a => a.Status == ResolveStatus.Resolved) == 1, $"They were answered with {answers[0]} and {answers[1]}.");
                await each.ExpectPayloadAsync(answers[0].Status == ResolveStatus.Resolved ? Mine : Theirs).ConfigureAwait(false);
            }
        }),
        Law("Decisions that make no sense are rejected before anything is written", async c =>
        {
            if (c.Store is not IResolvableIdempotencyStore store) return;
            await BecomeUnknownAsync(c).ConfigureAwait(false);
            ResolveRequest good = Decision(c, IdempotencyCompletion.Completed, Theirs);
            foreach (ResolveRequest bad in new[]
            {
                good with { Nonce = Guid.Empty }, good with { Completion = (IdempotencyCompletion)7 }, good with { Retention = TimeSpan.Zero },
                good with { Fence = -1 }, good with { Completion = IdempotencyCompletion.None },
                good with { Payload = new byte[c.Store.Traits.MaxPayloadBytes + 1] },
            })
            {
                await Case.DemandThrowsAsync<ArgumentException>(() => store.ResolveRecordAsync(bad).AsTask(), $"{bad} was taken.").ConfigureAwait(false);
            }

            await c.ExpectPayloadAsync(Mine, IdempotencyCompletion.OutcomeUnknown).ConfigureAwait(false);
        }),
    ];

    private static async Task<long> BecomeUnknownAsync(Case c)
    {
        long fence = await c.AcquireAsync().ConfigureAwait(false);
        Case.Demand(await c.CompleteAsync(fence, Mine, IdempotencyCompletion.OutcomeUnknown).ConfigureAwait(false), "The claim was lost.");
        return fence;
    }

    private static async Task<long> LapseAsync(Case c)
    {
        long fence = await c.AcquireAsync(c.ShortLease).ConfigureAwait(false);
        await c.LapseAsync().ConfigureAwait(false);
        return fence;
    }

    private static ResolveRequest Decision(Case c, IdempotencyCompletion completion, byte[] payload) => new()
    {
        Id = c.Id,
        Nonce = Guid.NewGuid(),
        Completion = completion,
        Payload = completion == IdempotencyCompletion.None ? default(ReadOnlyMemory<byte>) : payload,
        Retention = Retention,
    };

    private static async Task<ResolveResult> DecideAsync(Case c, IResolvableIdempotencyStore store, IdempotencyCompletion completion)
    {
        ResolveResult answer = await store.ResolveRecordAsync(Decision(c, completion, Theirs)).ConfigureAwait(false);
        Case.Demand(answer.Status == ResolveStatus.Resolved, $"The decision {completion} was answered with {answer.Status}.");
        return answer;
    }

    private static async Task ExpectAsync(Case c, IResolvableIdempotencyStore store, IdempotencyCompletion decision, ResolveStatus status, long fence)
    {
        ResolveResult answer = await store.ResolveRecordAsync(Decision(c, decision, Theirs)).ConfigureAwait(false);
        Case.Demand(answer == new ResolveResult(status, fence), $"The decision {decision} was answered with {answer}, not with {status} and fence {fence}.");
    }

    private static async Task EachDoubtAsync(Case c, Func<Case, IResolvableIdempotencyStore, long, Task> check)
    {
        if (c.Store is not IResolvableIdempotencyStore store) return;
        foreach (Func<Case, Task<long>> doubt in Doubts)
        {
            Case one = new(c.Subject, c.Store);
            await check(one, store, await doubt(one).ConfigureAwait(false)).ConfigureAwait(false);
        }
    }

    private static async Task EachDecisionAsync(Case c, Func<Case, IResolvableIdempotencyStore, long, IdempotencyCompletion, Task> check)
    {
        foreach (IdempotencyCompletion decision in Decisions)
            await EachDoubtAsync(c, (one, store, fence) => check(one, store, fence, decision)).ConfigureAwait(false);
    }
}
