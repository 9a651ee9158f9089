namespace Resilience.Idempotency;

/// <summary>How a gate asks the store for a claim, for all who come with a key at one moment, and what becomes of the answer.</summary>
internal static class ClaimRequests
{
    /// <summary>Asks the store for all who come with this key at this moment, and goes on asking while it is worth waiting.</summary>
    internal static ValueTask<IdempotencyResult> LeadAsync(
        this IdempotencyGate gate, IdempotencyClaim claim, long waitUntil, CancellationToken cancellationToken)
    {
        if (gate.IsStopping) return gate.LookOnlyAsync(claim);
        long asked = gate.Clock.NowMs, number = gate.NextNumber();
        AcquireRequest request = gate.RequestFor(claim, number);
        ValueTask<AcquireResult> acquiring = gate.Calls.AcquireAsync(request);
        if (acquiring.IsCompletedSuccessfully)
        {
            AcquireResult answer = acquiring.Result;
            if (answer.Status != AcquireStatus.InFlight) return new(gate.Settle(claim, answer, asked, number));
            acquiring = new(answer);
        }

        return gate.LeadSlowlyAsync(claim, acquiring, asked, number, waitUntil, cancellationToken);
    }

    private static async ValueTask<IdempotencyResult> LeadSlowlyAsync(
        this IdempotencyGate gate, IdempotencyClaim claim,
        ValueTask<AcquireResult> acquiring, long asked, long number, long waitUntil, CancellationToken cancellationToken)
    {
        // Whatever is thrown here, and whenever: the claim leaves the table, or no call of this process could ever begin again.
        Task<AcquireResult> asking = acquiring.AsTask();
        bool isSettled = false;
        try
        {
            for (int pauseMs = 25; ; pauseMs = Math.Min(pauseMs * 8 / 5, 1000))
            {
                AcquireResult answer = await asking.WaitAsync(cancellationToken).ConfigureAwait(false);
                if (answer.Status != AcquireStatus.InFlight || gate.Clock.NowMs >= waitUntil)
                {
                    isSettled = true;
                    return gate.Settle(claim, answer, asked, number);
                }

                await gate.WaitForOtherProcessAsync(claim.Id, answer, pauseMs, waitUntil, cancellationToken).ConfigureAwait(false);
                if (gate.IsStopping)
                {
                    isSettled = true;
                    return await gate.LookOnlyAsync(claim).ConfigureAwait(false);
                }

                asked = gate.Clock.NowMs;
                number = gate.NextNumber();
                asking = gate.Calls.AcquireAsync(gate.RequestFor(claim, number)).AsTask();
            }
        }
        catch (IdempotencyStoreException failed)
        {
            isSettled = true;
            return gate.SettleFailure(claim, failed);
        }
        finally
        {
            // We leave (cancelled): what was asked may still be granted, and nothing else would give it back.
            if (!isSettled) _ = gate.LeaveAsync(claim, asking);
        }
    }

    private static async Task LeaveAsync(this IdempotencyGate gate, IdempotencyClaim claim, Task<AcquireResult> asking)
    {
        try
        {
            AcquireResult answer = await asking.ConfigureAwait(false);
            if (answer.Status == AcquireStatus.Acquired) await gate.Calls.ReleaseAsync(claim.Id, answer.Fence, answer.Attempt).ConfigureAwait(false);
        }
        catch (Exception failed)
        {
            IdempotencyTelemetry.StoreFailed(gate.Environment, "release", failed, claim.Id);
        }
        finally
        {
            gate.Leave(claim, default);
        }
    }

    /// <summary>Looks now and then, with jitter, until the other claim may have ended. What a look shows is a reason to ask, never an answer.</summary>
    private static async ValueTask WaitForOtherProcessAsync(
        this IdempotencyGate gate, IdempotencyId id, AcquireResult other, int pauseMs, long waitUntil, CancellationToken cancellationToken)
    {
        long leaseEnd = gate.Clock.NowMs + Math.Max(1, (long)other.RetryAfter.TotalMilliseconds);
        while (true)
        {
            long end = Math.Min(leaseEnd, waitUntil), left = end - gate.Clock.NowMs;
            if (left <= 0) return;
            double pause = Math.Min(left, pauseMs * (0.5 + SafeRandomness.Draw(gate.Environment.Randomness, 0.5)));
            await ClockWait.ForAsync(gate.Clock, TimeSpan.FromMilliseconds(Math.Max(1, pause)), cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            if (gate.IsStopping) return;
            pauseMs = Math.Min(pauseMs * 8 / 5, 1000);
            try
            {
                PeekResult seen = await gate.Calls.PeekAsync(id).ConfigureAwait(false);
                if (seen.State != IdempotencyState.InFlight || seen.Fence != other.Fence) return;
                leaseEnd = gate.Clock.NowMs + Math.Max(1, (long)seen.RetryAfter.TotalMilliseconds);
            }
            catch (IdempotencyStoreException failed) when (failed.IsTransient)
            {
                // The key is held, that much is known: a store that is away for a moment is no reason to give up, or to begin.
            }
        }
    }

    private static AcquireRequest RequestFor(this IdempotencyGate gate, IdempotencyClaim claim, long number) =>
        gate.RequestFor(claim.Id, claim.Fingerprint, number);

    private static AcquireRequest RequestFor(this IdempotencyGate gate, IdempotencyId id, Fingerprint fingerprint, long number) => new()
    {
        Id = id,
        Fingerprint = fingerprint,
        Nonce = gate.NonceOf(number),
        Lease = gate.Options.Lease,
        Retention = gate.Options.Retention,
        MaxAttempts = gate.Options.MaxAttempts,
    };

    /// <summary>Turns the store's answer to a claim into ours, and tells it to those who follow.</summary>
    private static IdempotencyResult Settle(this IdempotencyGate gate, IdempotencyClaim claim, in AcquireResult answer, long asked, long number)
    {
        if (answer.Status == AcquireStatus.Acquired)
        {
            claim.Granted(answer, number, asked);
            gate.Keeper.Add(claim)?.Own();
            return IdempotencyResult.Of(claim);
        }

        IdempotencyResult entry = gate.EntryOf(answer);
        if (answer.Status == AcquireStatus.Completed) gate.Replays?.Keep(claim.Id, claim.Fingerprint, entry, asked, answer.KeptFor);

        // Out of time: those who follow may have more of it than we had, and ask for themselves.
        bool asksThemselves = answer.Status == AcquireStatus.InFlight && gate.Options.WhenInFlight == WhenInFlight.Wait;
        gate.Leave(claim, asksThemselves ? default : entry);
        return entry;
    }

    private static IdempotencyResult EntryOf(this IdempotencyGate gate, in AcquireResult answer) => answer.Status switch
    {
        AcquireStatus.Completed => IdempotencyResult.Kept(answer.Completion, answer.Payload),
        AcquireStatus.InFlight => IdempotencyResult.InFlight(gate.Duplicates.HintFor(answer.RetryAfter)),
        AcquireStatus.Mismatch => IdempotencyResult.KeyReused,
        _ => IdempotencyResult.Abandoned,
    };

    private static IdempotencyResult SettleFailure(this IdempotencyGate gate, IdempotencyClaim claim, IdempotencyStoreException failed)
    {
        // Something lies under this id and cannot be read: whatever the options say, it is not executed again.
        if (failed.Fault == IdempotencyStoreFault.Corrupt)
        {
            IdempotencyResult unreadable = IdempotencyResult.Unreadable(failed);
            gate.Leave(claim, unreadable);
            return unreadable;
        }

        if (gate.Options.WhenStoreFails == WhenStoreFails.RunUnprotected)
        {
            // Duplicates here still wait for this one: what this process can see, it still protects.
            claim.GoUnprotected(failed);
            gate.Claims.Own(claim, isRenewed: false, out _)?.Own();
            return IdempotencyResult.Of(claim);
        }

        IdempotencyResult unavailable = IdempotencyResult.Unavailable(failed);
        gate.Leave(claim, unavailable);
        return unavailable;
    }

    /// <summary>While the gate stops: an outcome that there is, and no claim.</summary>
    private static async ValueTask<IdempotencyResult> LookOnlyAsync(this IdempotencyGate gate, IdempotencyClaim claim)
    {
        IdempotencyResult entry = default;
        try
        {
            entry = await gate.OutcomeAsync(claim.Id, claim.Fingerprint).ConfigureAwait(false);
            if (entry.Status == IdempotencyStatus.InFlight) entry = IdempotencyResult.Stopping;
        }
        finally
        {
            gate.Leave(claim, entry);
        }

        return entry;
    }

    internal static async ValueTask<IdempotencyResult> OutcomeAsync(this IdempotencyGate gate, IdempotencyId id, Fingerprint fingerprint)
    {
        try
        {
            PeekResult seen = await gate.Calls.PeekAsync(id).ConfigureAwait(false);
            if (seen.State is not (IdempotencyState.Completed or IdempotencyState.OutcomeUnknown))
                return IdempotencyResult.InFlight(gate.Duplicates.HintFor(seen.RetryAfter));
            AcquireResult answer = await gate.Calls.AcquireAsync(gate.RequestFor(id, fingerprint, gate.NextNumber())).ConfigureAwait(false);
            if (answer.Status != AcquireStatus.Acquired) return gate.EntryOf(answer);

            // It expired in this very moment; we came to look, not to do.
            await gate.Calls.ReleaseAsync(id, answer.Fence, answer.Attempt).ConfigureAwait(false);
            return IdempotencyResult.InFlight(gate.Duplicates.MinRetryAfter);
        }
        catch (IdempotencyStoreException failed)
        {
            return failed.Fault == IdempotencyStoreFault.Corrupt ? IdempotencyResult.Unreadable(failed) : IdempotencyResult.Unavailable(failed);
        }
    }
}
