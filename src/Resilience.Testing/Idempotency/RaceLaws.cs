using Resilience.Idempotency;
using static Resilience.Testing.Case;

namespace Resilience.Testing;

/// <summary>Many at once.</summary>
internal static class RaceLaws
{
    private const int Callers = 64, Rounds = 8;

    internal static IdempotencyStoreLaw[] All() =>
    [
        Law("Of many who ask at once, through two clients, one acquires", async c =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                AcquireResult[] answers = await AskAtOnceAsync(new(c.Subject, c.Store)).ConfigureAwait(false);
                int winners = answers.Count(a => a.Status == AcquireStatus.Acquired);
                Case.Demand(winners == 1, $"{winners} of {Callers} acquired.");
                Case.Demand(answers.Count(a => a.Status == AcquireStatus.InFlight) == Callers - 1,
                    "A caller was told neither that it has it nor that it is in flight.");
            }
        }),
        Law("Of many who find a lapsed claim at once, one takes over", async c =>
        {
            for (int round = 0; round < 3; round++)
            {
                Case one = new(c.Subject, c.Store);
                long fence = await one.AcquireAsync(c.ShortLease).ConfigureAwait(false);
                await c.LapseAsync().ConfigureAwait(false);
                AcquireResult[] answers = await AskAtOnceAsync(one).ConfigureAwait(false);
                AcquireResult[] winners = [.. answers.Where(a => a.Status == AcquireStatus.Acquired)];
                Case.Demand(winners.Length == 1, $"{winners.Length} of {Callers} took over.");
                Case.Demand(winners[0].Fence > fence && winners[0].Attempt == 2, $"The winner has {winners[0]}.");
            }
        }),
        Law("Two clients see the same records", async c =>
        {
            IIdempotencyStore other = await c.Subject.OpenAsync().ConfigureAwait(false);
            long fence = await c.AcquireAsync().ConfigureAwait(false);
            AcquireResult held = await other.TryAcquireAsync(Case.Request(c.Id, Case.This, LongLease)).ConfigureAwait(false);
            Case.Demand(held.Status == AcquireStatus.InFlight, $"The other client was answered with {held.Status}.");
            Case.Demand(await other.CompleteAsync(c.Id, fence, IdempotencyCompletion.Completed, Mine, Retention).ConfigureAwait(false),
                "The fence means nothing to the other client.");
            await c.ExpectPayloadAsync(Mine).ConfigureAwait(false);
        }),
        Law("An owner who completes while others take over either has completed or has lost", async c =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                Case one = new(c.Subject, c.Store);
                long fence = await one.AcquireAsync(c.ShortLease).ConfigureAwait(false);
                await c.LapseAsync().ConfigureAwait(false);
                Task<AcquireResult[]> rivals = AskAtOnceAsync(one);
                Task<bool> completing = Task.Run(async () => await one.CompleteAsync(fence, Mine).ConfigureAwait(false));
                AcquireResult[] answers = await rivals.ConfigureAwait(false);
                bool hasCompleted = await completing.ConfigureAwait(false);
                bool wasTaken = answers.Any(a => a.Status == AcquireStatus.Acquired);
                Case.Demand(hasCompleted != wasTaken, hasCompleted ? "It completed and was taken over." : "It lost, but no caller has it.");
                await one.ExpectAsync(hasCompleted ? AcquireStatus.Completed : AcquireStatus.InFlight).ConfigureAwait(false);
            }
        }),
        Law("Acquired, released and acquired again by many, the fences rise and no two callers share one", async c =>
        {
            int holders = 0;
            long last = 0;
            bool wasShared = false, fell = false;
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            {
                for (int granted = 0, tries = 0; granted < 10 && tries < 100_000; tries++)
                {
                    AcquireResult answer = await c.AskAsync().ConfigureAwait(false);
                    if (answer.Status != AcquireStatus.Acquired)
                    {
                        await Task.Yield(); // a store that answers on the caller's thread would keep the thread that the holder needs to go on
                        continue;
                    }

                    if (Interlocked.Increment(ref holders) != 1) wasShared = true;
                    if (Interlocked.Exchange(ref last, answer.Fence) >= answer.Fence) fell = true;
                    granted++;
                    Interlocked.Decrement(ref holders);
                    await c.ReleaseAsync(answer.Fence).ConfigureAwait(false);
                }
            }))).ConfigureAwait(false);
            Case.Demand(!wasShared, "Two held it at once.");
            Case.Demand(!fell, "A fence was not larger than the one before.");
        }),
    ];

    private static async Task<AcquireResult[]> AskAtOnceAsync(Case c)
    {
        IIdempotencyStore second = await c.Subject.OpenAsync().ConfigureAwait(false);
        TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<AcquireResult>[] asking = [.. Enumerable.Range(0, Callers).Select(i => Task.Run(async () =>
        {
            await gate.Task.ConfigureAwait(false);
            return await (i % 2 == 0 ? c.Store : second).TryAcquireAsync(Case.Request(c.Id, Case.This, LongLease)).ConfigureAwait(false);
        }))];
        gate.SetResult();
        return await Task.WhenAll(asking).ConfigureAwait(false);
    }
}
